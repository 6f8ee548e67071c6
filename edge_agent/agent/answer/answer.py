"""An answer with its proof, and who gives one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from edge_agent.agent.answer.verdict import Verdict
from edge_agent.agent.answer.wording import echoes, is_missing
from edge_agent.agent.records import Citation, Claim
from edge_agent.agent.refine.evidence import Evidence, Fact
from edge_agent.chat.messages import Completion


@dataclass(frozen=True, slots=True)
class Answer:
    """`completion` is the generation it came from, for the accounts; where there were more, with
    the usage of all. verdict: None when nobody checked it."""

    text: str
    citations: tuple[Citation, ...]
    completion: Completion
    claims: tuple[Claim, ...] = ()
    verdict: Verdict | None = None

    def holds(self, question: str) -> bool:
        """Whether the answer is good enough to end a run with."""
        if self.verdict is not None:
            return self.verdict.accepted
        return not (is_missing(self.text) or echoes(question, self.text))


class Answering(Protocol):
    """Draws answers from facts, and finds the facts behind an answer."""

    async def extract(self, question: str, evidence: Evidence, feedback: str = "") -> Answer:
        """A short answer with the facts that prove it; "not found" when they do not hold it.

        feedback: what was wrong with an earlier one.
        """
        ...

    async def support(
        self, question: str, answer: str, evidence: Evidence, known: Collection[str] = ()
    ) -> Answer:
        """The facts that prove an answer the model has written itself.

        A link in it that is neither `known` nor on a page of the evidence is taken out.
        """
        ...

    def closest(self, query: str, evidence: Evidence) -> list[Fact]:
        """Facts that fit the budget: those the model pointed at, then the nearest to the query."""
        ...


def with_usage_of(completion: Completion, *others: Completion | None) -> Completion:
    """A completion that accounts for others too."""
    usage = completion.done.usage
    for other in others:
        usage = usage + other.done.usage if other is not None else usage
    return replace(completion, done=replace(completion.done, usage=usage))
