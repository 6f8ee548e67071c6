"""Verification: an answer is checked before it is accepted, without a model first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.checks import Candidate, check
from edge_agent.agent.answer.claims import is_long
from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.sources import conflict, otherwise
from edge_agent.agent.answer.verdict import Fault, Verdict
from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import Evidence, Fact, as_text
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.engine.params import SamplingParams

GREEDY = SamplingParams(temperature=0)
JUDGE_TOKENS = 64
JUDGE_CHARS = 600  # of an answer, which is text at most
MOST_FACTS = 4
JUDGEMENTS = ("supported", "contradicted", "not stated")
UNPROVEN: dict[str, tuple[Fault, str]] = {
    "contradicted": ("contradicted", "The facts say otherwise than “{answer}”."),
    "not stated": ("not_stated", "The facts do not say that “{answer}” is what is asked for."),
}


class Verifier:
    """Checks answers against the facts of a run.

    asks: let the model judge too what passed the checks that need none.
    """

    def __init__(self, chat: Chat, asks: bool = False) -> None:
        self._chat = chat
        self._asks = asks

    async def verify(
        self, question: str, answer: Answer, evidence: Evidence, closest: Sequence[Fact]
    ) -> Verdict:
        """Check, compare the sources, and ask the model about the `closest` facts."""
        verdict = self.check(question, answer, evidence)
        if not verdict.accepted or not self._asks or not closest:
            return verdict
        return await self._judged(question, answer, verdict, closest)

    def check(self, question: str, answer: Answer, evidence: Evidence) -> Verdict:
        """All that can be said without a model."""
        facts, kind = list(evidence), asked(question)
        verdict = check(Candidate(question, kind, answer.text, answer.citations, facts))
        if not verdict.accepted or is_long(answer.text):
            return verdict
        other = conflict(kind.kind, answer.text, answer.citations, facts)
        if other is None:
            return verdict
        if other.newer is other.theirs:
            return Verdict("outdated", other.feedback)
        return Verdict(remark=other.remark)

    async def _judged(
        self, question: str, answer: Answer, verdict: Verdict, facts: Sequence[Fact]
    ) -> Verdict:
        request = _request(question, answer.text, facts)
        completion = await self._chat.complete(self._chat.prepare(request))
        told, numbers = _read(completion)
        judged = replace(verdict, supported=told == "supported", completion=completion)
        if told not in UNPROVEN:  # supported, or a generation that was cut off and says nothing
            return judged
        other = otherwise(numbers, answer.citations, facts) if told == "contradicted" else None
        if other is not None and other.newer is other.ours:
            return replace(judged, remark=other.remark)
        if other is not None and other.newer is other.theirs:
            return replace(judged, fault="outdated", feedback=other.feedback)
        fault, feedback = UNPROVEN[told]
        return replace(judged, fault=fault, feedback=feedback.format(answer=answer.text))


def _request(question: str, answer: str, facts: Sequence[Fact]) -> ChatRequest:
    text = prompt("verify").format(
        facts=as_text(facts), question=question, answer=answer[:JUDGE_CHARS]
    )
    numbers = {"enum": [fact.number for fact in facts]}
    # the facts before the judgement: a small model judges what it has just pointed at
    properties = {
        "facts": {"type": "array", "items": numbers, "maxItems": MOST_FACTS},
        "verdict": {"enum": list(JUDGEMENTS)},
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ChatRequest(
        (Message("user", text),),
        response_schema=schema,
        sampling=GREEDY,
        max_tokens=JUDGE_TOKENS,
        thinking=False,
    )


def _read(completion: Completion) -> tuple[str, list[int]]:
    """The judgement and the facts it goes by; "" for a generation that was cut off."""
    try:
        wrote = json.loads(completion.text)
        numbers = [n for n in wrote["facts"] if isinstance(n, int)]
        return str(wrote["verdict"]), numbers
    except (ValueError, KeyError, TypeError):
        return "", []
