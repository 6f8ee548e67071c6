"""A question of several hops, asked one hop at a time, each by the name that the last one found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_agent.agent.answer.answer import Answer, Answering
from edge_agent.agent.answer.described import Described, described, has_name
from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.wording import asking_part
from edge_agent.agent.explore.titles import is_about, without_asides
from edge_agent.agent.explore.turn import SEARCH, Call, Turn
from edge_agent.agent.records import Citation, Claim, Step
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.refiner import Refined, Refiner
from edge_agent.tools.base import Page

MOST_HOPS = 4  # names that are put into one question
NAME_WORDS = 10  # more are a sentence


@dataclass(frozen=True, slots=True)
class Hop:
    """What a hop has found, or "", and behind the last one the answer to the task."""

    found: str = ""
    answer: Answer | None = None


class Hops:
    """What is asked next of a task, until it is asked itself.

    question: the task, with the names that were found in place of what it describes. asks: the
    question of this hop. found: the name that the last one found, or "". A hop that finds no
    name gives up, and the task is asked as it stands.
    """

    def __init__(self, task: str, refiner: Refiner, answerer: Answering) -> None:
        self._refiner = refiner
        self._answerer = answerer
        self.question = task
        self.found = ""
        self._proofs: tuple[Claim, ...] = ()
        self._described: Described | None = described(task) if _may_hop(task) else None

    @property
    def goes_on(self) -> bool:
        """Whether there is a hop to ask."""
        return self._described is not None or bool(self.found)

    @property
    def asks(self) -> str:
        return self._described.asks if self._described else self.question

    @property
    def about(self) -> str:
        """The name that this hop's question is about: the found one, or one of the task."""
        inner = self._described
        if inner is None or (self.found and self.found in inner.asks):
            return self.found
        return inner.name

    @property
    def turn(self) -> Turn:
        """The turn of this hop: its question is searched, and the name that was found for it."""
        found = [self.found] if self.found and self.found == self.about else []
        return Turn(self.asks, calls=(Call(SEARCH, {"query": [*found, self.asks]}),))

    def give_up(self) -> None:
        self.found, self._described = "", None

    async def refine(self, pages: Sequence[Page], evidence: Evidence) -> Refined:
        """The notes of the pages, and of those read before that are about the name."""
        known = {
            fact.page.url: fact.page for fact in evidence if is_about(fact.page.title, self.about)
        }
        every = {**known, **{page.url: page for page in pages}}
        return await self._refiner.refine([*every.values()], self.asks, self.asks, evidence)

    async def answer(self, evidence: Evidence) -> Answer:
        """What the evidence says to this hop."""
        return await self._answerer.extract(self.asks, evidence)

    def take(self, drawn: Answer) -> Hop:
        """The next hop is about what was found; behind the last one stands the answer, with the
        proofs of all. Nothing found gives up."""
        # what only tells two works apart may be the answer: "Glass Harbour (Mara Voss song)"
        if not drawn.holds(without_asides(self.asks)) or (
            self._described and not _is_name(drawn.text)
        ):
            self.give_up()
            return Hop()
        if self._described is None:
            return Hop(drawn.text, self._proven(drawn))
        self._put(drawn.text, drawn.citations)
        return Hop(drawn.text)

    def restore(self, steps: Sequence[Step], evidence: Evidence) -> int:
        """Stand where a run stood that was cut off: its steps tell what was asked, and found, and
        its evidence proves it. How many of them were hops.
        """
        for i, step in enumerate(steps):
            if not self.goes_on or step.thought != self.asks:
                self.give_up()
                return i
            if not step.text:
                self.give_up()
            elif self._described is not None:  # the last hop is asked once more
                holding = (f.citation for f in evidence if step.text in f.passage.text)
                self._put(step.text, tuple(holding)[:1])
        return len(steps)

    def _put(self, name: str, proof: tuple[Citation, ...]) -> None:
        """The next question has this name in place of what was asked for."""
        assert self._described is not None
        self._proofs += (Claim(f"{self.asks} {name}", proof),)
        self.question = self._described.put(self.question, name)
        self.found = name
        self._described = described(self.question) if len(self._proofs) < MOST_HOPS else None

    def _proven(self, drawn: Answer) -> Answer:
        quotes = (quote for proof in self._proofs for quote in proof.citations)
        citations = tuple(dict.fromkeys([*drawn.citations, *quotes]))
        return replace(drawn, citations=citations, claims=(*self._proofs, *drawn.claims))


def _may_hop(task: str) -> bool:
    """Whether a task is one question, without what was asked before, for one thing."""
    return asking_part(task) == task and asked(task).kind not in ("choice", "yes_no")


def _is_name(text: str) -> bool:
    return has_name(text) and len(text.split()) <= NAME_WORDS
