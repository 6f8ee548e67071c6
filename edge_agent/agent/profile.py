"""How each model family is asked: its prompts, its way to call tools, its budgets. Only data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from edge_agent.agent.refiner import NoteBudget
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotFound


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to run the explore loop.

    dialect: "hermes" lets the chat template carry tools and calls; "json" constrains every turn to
    one JSON action, for models whose template or training has no tools.
    system: name of the prompt file. search, fetch, purpose: the names the model was trained on.
    opens_with_search: the first step searches the question itself and reads the best results.
    hits: results shown of one search. turn_tokens: most tokens of one turn. answer_tokens: tokens
    of evidence the final answer is drawn from.
    """

    name: str
    dialect: Literal["hermes", "json"]
    system: str
    notes: NoteBudget
    turn_tokens: int
    hits: int
    opens_with_search: bool = False
    thinking: bool | None = None
    sampling: SamplingParams | None = None
    search: str = "search"
    fetch: str = "fetch_url"
    url: str = "url"
    purpose: str = "purpose"
    answer_tokens: int = 900


GREEDY = SamplingParams(temperature=0)
LARGE_NOTES = NoteBudget(ranked=2000, noted=900, pages=3)

PROFILES = {
    "agentcpm": Profile("agentcpm", "hermes", "research", LARGE_NOTES, 8192, hits=10),
    "dr-venus": Profile(
        "dr-venus", "hermes", "research", LARGE_NOTES, 8192, hits=10, fetch="visit", purpose="goal"
    ),
    "qwen": Profile("qwen", "hermes", "research", LARGE_NOTES, 4096, hits=10),
    "plain": Profile(
        "plain",
        "json",
        "actions",
        NoteBudget(ranked=480, noted=200, pages=4),
        turn_tokens=200,
        hits=6,
        opens_with_search=True,
        thinking=False,
        sampling=GREEDY,
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name; raises NotFound with the names there are."""
    if name not in PROFILES:
        raise NotFound(f"There is no profile {name!r}: use one of {', '.join(PROFILES)}.")
    return PROFILES[name]


def prompt(name: str) -> str:
    """The text of a prompt file in `prompts/`, which ends without a line break."""
    return (files("edge_agent.agent") / "prompts" / f"{name}.md").read_text("utf-8").strip()
