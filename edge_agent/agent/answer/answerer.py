"""From evidence to an answer and its proof: facts first, then the words they carry."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Citation
from edge_agent.agent.refine.evidence import Evidence, Fact, as_text
from edge_agent.agent.refine.ranker import Ranker, words
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.engine.params import SamplingParams

GREEDY = SamplingParams(temperature=0)
ANSWER_CHARS = 120
THOUGHT_CHARS = 200
MOST_CITATIONS = 4
ANSWER_TOKENS = 200
NOT_FOUND = "not found"
MARKED = 1e6  # more than any score


@dataclass(frozen=True, slots=True)
class Answer:
    """`completion` is the generation it came from, for the accounts."""

    text: str
    citations: tuple[Citation, ...]
    completion: Completion


class Answerer:
    """Draws answers from facts, and finds the facts behind an answer."""

    def __init__(self, chat: Chat, ranker: Ranker, tokens: int) -> None:
        self._chat = chat
        self._ranker = ranker
        self._tokens = tokens

    async def extract(self, question: str, evidence: Evidence) -> Answer:
        """A short answer with the facts that prove it; "not found" when they do not hold it."""
        facts = self.closest(question, evidence)
        text = prompt("answer").format(facts=as_text(facts), question=question)
        # a thought before the answer: without it small models answer with the first name they see
        thought = {"type": "string", "maxLength": THOUGHT_CHARS}
        answer = {"type": "string", "minLength": 1, "maxLength": ANSWER_CHARS}
        completion = await self._point(text, facts, {"thought": thought, "answer": answer})
        wrote = _loads(completion.text)
        found = str(wrote.get("answer", "")).strip() or NOT_FOUND
        cited = self._cited(wrote, facts)
        if not is_missing(found):
            cited = self._with_carrier(cited, found, question, facts)
        return Answer(found, tuple(fact.citation for fact in cited), completion)

    async def support(self, question: str, answer: str, evidence: Evidence) -> Answer:
        """The facts that prove an answer the model has written itself."""
        facts = self.closest(f"{question} {answer}", evidence)
        text = prompt("support").format(
            facts=as_text(facts), question=question, answer=answer[:ANSWER_CHARS]
        )
        completion = await self._point(text, facts, {})
        cited = self._cited(_loads(completion.text), facts)
        cited = self._with_carrier(cited, answer, question, facts)
        return Answer(answer, tuple(fact.citation for fact in cited), completion)

    async def _point(self, text: str, facts: Sequence[Fact], more: dict[str, object]) -> Completion:
        numbers = {"enum": [fact.number for fact in facts]}
        pointing = {"type": "array", "items": numbers, "maxItems": MOST_CITATIONS}
        properties = {"facts": pointing, **more}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        request = ChatRequest(
            (Message("user", text),),
            response_schema=schema,
            sampling=GREEDY,
            max_tokens=ANSWER_TOKENS,
            thinking=False,
            priority=0,
        )
        return await self._chat.complete(self._chat.prepare(request))

    def closest(self, query: str, evidence: Evidence) -> list[Fact]:
        """Facts that fit the budget: those the model pointed at, then the nearest to the query.

        In the order of their numbers.
        """
        facts = list(evidence)
        titles = [fact.page.title for fact in facts]
        scores = self._ranker.scores(query, titles, [fact.passage for fact in facts])
        scores = scores + np.where([evidence.is_marked(fact) for fact in facts], MARKED, 0.0)
        kept, left = [], self._tokens
        for i in np.argsort(-scores, kind="stable"):
            cost = self._chat.count(facts[i].line) + 2
            if cost <= left:
                kept.append(facts[i])
                left -= cost
        return sorted(kept, key=lambda fact: fact.number)

    @staticmethod
    def _cited(wrote: dict[str, object], facts: Sequence[Fact]) -> list[Fact]:
        numbers = wrote.get("facts")
        known = {fact.number: fact for fact in facts}
        named = [n for n in numbers if isinstance(n, int)] if isinstance(numbers, list) else []
        return [known[n] for n in dict.fromkeys(named) if n in known]

    def _with_carrier(
        self, cited: list[Fact], answer: str, question: str, facts: Sequence[Fact]
    ) -> list[Fact]:
        """What the model pointed at, and a fact that has the answer's words where it pointed past.

        Models point at the right page and then one sentence too early.
        """
        whole = re.compile(rf"(?<!\w){re.escape(answer.strip(' .'))}(?!\w)", re.IGNORECASE)
        carriers = [fact for fact in facts if whole.search(fact.passage.text)]
        if any(fact in carriers for fact in cited):
            return cited
        titles = {fact.page.title for fact in cited}
        near = [fact for fact in carriers if fact.page.title in titles] or carriers
        more = self._holding(question, near) or near[:1]
        return (more + cited)[:MOST_CITATIONS] or self._holding(f"{question} {answer}", facts)

    @staticmethod
    def _holding(text: str, facts: Sequence[Fact]) -> list[Fact]:
        """The one fact that shares most words with a text, when any does."""
        wanted = set(words(text))
        shared = [len(wanted & set(words(fact.passage.text))) for fact in facts]
        return [facts[int(np.argmax(shared))]] if any(shared) else []


def _loads(text: str) -> dict[str, object]:
    """The object a constrained generation wrote; {} when its token limit cut it off, or a server
    elsewhere did not hold it to the schema."""
    try:
        wrote = json.loads(text)
    except ValueError:
        return {}
    return wrote if isinstance(wrote, dict) else {}


def is_missing(answer: str) -> bool:
    """Whether an answer says that there is none."""
    return answer.casefold().strip(" .") in (NOT_FOUND, "unknown", "none", "n/a")


def echoes(question: str, answer: str) -> bool:
    """Whether an answer only repeats a name of the question, which offers no choice of names."""
    told = set(words(answer))
    return bool(told) and told <= set(words(question)) and " or " not in question.casefold()
