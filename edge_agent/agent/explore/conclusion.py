"""The answer of a run: drawn, proven, and sent back while something speaks against it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.agent.answer.answer import Answer, Answering
from edge_agent.agent.answer.objection import Objection
from edge_agent.agent.answer.wording import is_missing
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.ending import Ending
from edge_agent.agent.explore.trail import Trail
from edge_agent.agent.records import Citation
from edge_agent.agent.refine.evidence import Evidence

MOST_REVIEWS = 2  # answers of a run that are sent back
GIVES_UP = "Do not give up yet: search with other words, or read another result."


class Conclusion:
    """What a run has come to. candidate: an answer of the model's that is being reviewed, or that
    ends the run.

    encourages: a model that gives up is asked to go on.
    """

    def __init__(
        self,
        task: str,
        answerer: Answering,
        evidence: Evidence,
        trail: Trail,
        budget: Budget,
        encourages: bool,
    ) -> None:
        self._task = task
        self._answerer = answerer
        self._evidence = evidence
        self._trail = trail
        self._budget = budget
        self._encourages = encourages
        self._reviews = 0
        self.candidate: Ending | None = None

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof, drawn from the evidence when there is none yet.

        Raises asyncio.TimeoutError when the run's time is over.
        """
        if ending.drawn is not None:
            return ending.drawn
        known = self._trail.named(self._task)
        work = (
            self._answerer.support(self._task, ending.answer, self._evidence, known)
            if ending.answer
            else self._answerer.extract(self._task, self._evidence)
        )
        answer = await asyncio.wait_for(work, max(self._budget.answer_s, 1.0))
        self._budget.add(answer.completion.done.usage)
        return self._without_guesses(answer)

    def _without_guesses(self, answer: Answer) -> Answer:
        """What stands at an address that the model made up proves nothing."""

        def sound(cited: Sequence[Citation]) -> tuple[Citation, ...]:
            return tuple(c for c in cited if not self._trail.provenance.is_guessed(c.url))

        claims = (replace(claim, citations=sound(claim.citations)) for claim in answer.claims)
        return replace(answer, citations=sound(answer.citations), claims=tuple(claims))

    async def proven(self) -> Ending | None:
        """The end of the run, where its evidence has an answer that holds."""
        if not len(self._evidence):
            return None
        drawn = await self.answer(Ending("answered"))
        return Ending("answered", drawn=drawn) if drawn.holds(self._task) else None

    def of(self, drawn: Answer) -> Ending:
        """The end of the run with an answer that was drawn and holds."""
        return Ending("answered", drawn=self._without_guesses(drawn))

    async def review(self, written: str) -> Objection | None:
        """What speaks against an answer that the model has `written`, while there is room for
        another; else it is the candidate."""
        if not written:
            return None
        self.candidate = Ending("answered", written)
        if len(self._evidence) and not is_missing(written):
            drawn = await self.answer(self.candidate)
            self.candidate = replace(self.candidate, drawn=drawn)
        objection = self._objection(self.candidate)
        if objection and self._reviews < MOST_REVIEWS and self._budget.steps_left > 0:
            self._reviews += 1
            self.candidate = None
            return objection
        return None

    def _objection(self, ending: Ending) -> Objection | None:
        if is_missing(ending.answer):
            return Objection("", GIVES_UP) if self._encourages else None
        verdict = ending.drawn.verdict if ending.drawn else None
        if verdict is None or verdict.accepted:
            return None
        return Objection(ending.answer, verdict.feedback)
