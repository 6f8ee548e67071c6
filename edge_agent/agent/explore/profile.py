"""How each model family is asked: its prompts, its way to call tools, its budgets. Only data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edge_agent.agent.memory.memory import Way
from edge_agent.agent.refine.refiner import NoteBudget
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotFound

WINDOW_SHARE = 0.25  # of the window that the notes of one turn, or the answer's facts, may fill


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to run the explore loop.

    dialect: "hermes" lets the chat template carry tools and calls; "json" constrains every turn to
    one JSON action, for models whose template or training has no tools.
    system: name of the prompt file. search, fetch, url, purpose, python: the names the model was
    trained on; a python tool is announced only where there is one, and never when python is "".
    opens_with_search: the first step searches the question itself, without asking the model.
    checks: after each turn of the model an answer is drawn from the evidence, and the first that
    the facts hold ends the run; small models cannot tell themselves when they know enough.
    hits, reads: results of a search that are shown, and that are read at once (see `Actions`).
    follows: names on the pages of a search that are searched too, without asking the model.
    hop_tokens: a question of several hops is asked a hop at a time, each from so many tokens of
    evidence; 0 asks it as it stands.
    turn_tokens: most tokens of one turn. thought_tokens: most of its thought; None is no bound.
    answer_tokens: tokens of evidence the final answer is drawn from.
    tags_answers: the model was trained to write <answer>; text without it is no answer.
    retries: how often a bad generation is thrown away and asked for again, in one turn.
    retries_repeats: a turn that only repeats earlier calls to the letter is a bad generation too;
    else the next unread result is read instead.
    memory: how a full window is folded (see `memory.Policy`). verifies: whether answers are checked
    against the evidence, and whether the model is asked to judge them too.
    tells_budget: the model is told what is left of its budgets, and asked again when it gives up.
    """

    name: str
    dialect: Literal["hermes", "json"]
    system: str
    notes: NoteBudget
    turn_tokens: int
    hits: int = 10
    reads: int = 0
    follows: int = 0
    hop_tokens: int = 0
    opens_with_search: bool = False
    checks: bool = False
    thinking: bool | None = None
    sampling: SamplingParams | None = None
    search: str = "search"
    fetch: str = "fetch_url"
    url: str = "url"
    purpose: str = "purpose"
    answer_tokens: int = 1200
    python: str = ""
    thought_tokens: int | None = None
    tags_answers: bool = False
    retries: int = 2
    retries_repeats: bool = True
    tells_budget: bool = True
    memory: Way = "prune"
    verifies: Literal["no", "checks", "model"] = "checks"

    def fitted(self, n_ctx: int) -> Profile:
        """The same with notes, thoughts and turns that a window of `n_ctx` tokens has room for."""
        share = int(n_ctx * WINDOW_SHARE)
        notes, thought = self.notes, self.thought_tokens
        return replace(
            self,
            notes=replace(
                notes, ranked=min(notes.ranked, 2 * share), noted=min(notes.noted, share)
            ),
            answer_tokens=min(self.answer_tokens, share),
            turn_tokens=min(self.turn_tokens, n_ctx // 2),
            thought_tokens=None if thought is None else min(thought, share),
        )


GREEDY = SamplingParams(temperature=0)
LARGE_NOTES = NoteBudget(pages=3, ranked=3000, noted=1500)

# Sampling, names and tokens a turn as the models' own inference code has them.
AGENTCPM = Profile(
    "agentcpm",
    "hermes",
    "research",
    LARGE_NOTES,
    turn_tokens=16_384,
    sampling=SamplingParams(temperature=1.0, top_p=1.0),
    python="PythonInterpreter",
    thought_tokens=8_192,
    tags_answers=True,
)
TONGYI = replace(
    AGENTCPM,
    name="tongyi",
    turn_tokens=10_000,
    sampling=SamplingParams(temperature=0.6, top_p=0.95, presence_penalty=1.1),
    fetch="visit",
    purpose="goal",
)
DR_VENUS = replace(
    TONGYI,
    name="dr-venus",
    turn_tokens=8_192,
    sampling=SamplingParams(temperature=1.0, top_p=0.95, presence_penalty=1.1),
    python="",
)
PROFILES = {
    "agentcpm": AGENTCPM,
    "dr-venus": DR_VENUS,
    "tongyi": TONGYI,
    "litresearcher": replace(TONGYI, name="litresearcher", turn_tokens=8_192, python=""),
    "qwen": Profile("qwen", "hermes", "research", LARGE_NOTES, 4096, thought_tokens=2_048),
    "plain": Profile(
        "plain",
        "json",
        "actions",
        NoteBudget(pages=18, ranked=600, noted=600),
        turn_tokens=200,
        hits=0,
        reads=5,
        follows=6,
        hop_tokens=300,
        opens_with_search=True,
        checks=True,
        thinking=False,
        sampling=GREEDY,
        answer_tokens=600,
        retries_repeats=False,
        tells_budget=False,
        verifies="no",
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name; raises NotFound with the names there are."""
    if name not in PROFILES:
        raise NotFound(f"There is no profile {name!r}: use one of {', '.join(PROFILES)}.")
    return PROFILES[name]
