"""Answers that are checked before they are given; a fault is told to the model, once more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from edge_agent.agent.answer.answer import Answer, Answering, with_usage_of
from edge_agent.agent.answer.verdict import Verdict
from edge_agent.agent.answer.verify import Verifier
from edge_agent.agent.refine.evidence import Evidence, Fact


class CheckedAnswerer:
    """An `Answering` whose answers have a verdict.

    retries: how often an extraction that fails its check is tried again, with what was wrong. An
    answer the model wrote itself is only judged: its feedback belongs into that conversation.
    """

    def __init__(self, answerer: Answering, verifier: Verifier, retries: int = 1) -> None:
        self._answerer = answerer
        self._verifier = verifier
        self._retries = retries

    async def extract(self, question: str, evidence: Evidence, feedback: str = "") -> Answer:
        """Draw, check, and draw again; the best of the tries, with the usage of all."""
        tries = [await self._extracted(question, evidence, feedback)]
        while len(tries) <= self._retries and (feedback := _worth_telling(tries[-1].verdict)):
            tries.append(await self._extracted(question, evidence, feedback))
        best = max(tries, key=_weight)
        others = [each.completion for each in tries if each is not best]
        return replace(best, completion=with_usage_of(best.completion, *others))

    async def _extracted(self, question: str, evidence: Evidence, feedback: str) -> Answer:
        return await self._judged(
            question, await self._answerer.extract(question, evidence, feedback), evidence
        )

    async def support(
        self, question: str, answer: str, evidence: Evidence, known: Collection[str] = ()
    ) -> Answer:
        """See `Answering.support`."""
        supported = await self._answerer.support(question, answer, evidence, known)
        return await self._judged(question, supported, evidence)

    def closest(self, query: str, evidence: Evidence) -> list[Fact]:
        """See `Answering.closest`."""
        return self._answerer.closest(query, evidence)

    async def _judged(self, question: str, answer: Answer, evidence: Evidence) -> Answer:
        facts = self.closest(f"{question} {answer.text}", evidence)
        verdict = await self._verifier.verify(question, answer, evidence, facts)
        completion = with_usage_of(answer.completion, verdict.completion)
        return replace(answer, verdict=verdict, completion=completion)


def _worth_telling(verdict: Verdict | None) -> str:
    """What the next try is told: nothing when it was accepted, or when there is no answer to find,
    since the same facts would be read again for nothing."""
    if verdict is None or verdict.accepted or verdict.fault == "missing":
        return ""
    return verdict.feedback


def _weight(answer: Answer) -> int:
    return answer.verdict.weight if answer.verdict else 0
