"""How each model family is asked: its prompts, its way to call tools, its budgets. Only data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.agent.refine.refiner import NoteBudget
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotFound


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to run the explore loop.

    dialect: "hermes" lets the chat template carry tools and calls; "json" constrains every turn to
    one JSON action, for models whose template or training has no tools.
    system: name of the prompt file. search, fetch, purpose: the names the model was trained on.
    opens_with_search: the first step searches the question itself, without asking the model.
    checks: after each turn of the model an answer is drawn from the evidence, and the first that
    the facts hold ends the run; small models cannot tell themselves when they know enough.
    hits, reads: results of a search that are shown, and that are read at once (see `Actions`).
    turn_tokens: most tokens of one turn. answer_tokens: tokens of evidence the final answer is
    drawn from.
    """

    name: str
    dialect: Literal["hermes", "json"]
    system: str
    notes: NoteBudget
    turn_tokens: int
    hits: int = 10
    reads: int = 0
    opens_with_search: bool = False
    checks: bool = False
    thinking: bool | None = None
    sampling: SamplingParams | None = None
    search: str = "search"
    fetch: str = "fetch_url"
    url: str = "url"
    purpose: str = "purpose"
    answer_tokens: int = 1200


GREEDY = SamplingParams(temperature=0)
LARGE_NOTES = NoteBudget(pages=3, ranked=3000, noted=1500)

PROFILES = {
    "agentcpm": Profile("agentcpm", "hermes", "research", LARGE_NOTES, 8192),
    "dr-venus": Profile(
        "dr-venus", "hermes", "research", LARGE_NOTES, 8192, fetch="visit", purpose="goal"
    ),
    "qwen": Profile("qwen", "hermes", "research", LARGE_NOTES, 4096),
    "plain": Profile(
        "plain",
        "json",
        "actions",
        NoteBudget(pages=3, ranked=200, noted=200),
        turn_tokens=200,
        hits=0,
        reads=3,
        opens_with_search=True,
        checks=True,
        thinking=False,
        sampling=GREEDY,
        answer_tokens=450,
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name; raises NotFound with the names there are."""
    if name not in PROFILES:
        raise NotFound(f"There is no profile {name!r}: use one of {', '.join(PROFILES)}.")
    return PROFILES[name]
