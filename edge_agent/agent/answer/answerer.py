"""From evidence to an answer and its proof: facts first, then the words they carry."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.claims import bearing, claims
from edge_agent.agent.answer.comparison import Comparison, comparison
from edge_agent.agent.answer.described import has_name
from edge_agent.agent.answer.links import links, returned, without_made_up
from edge_agent.agent.answer.question import Kind, asked
from edge_agent.agent.answer.shapes import ANSWER_CHARS, SHAPED, shape
from edge_agent.agent.answer.spans import MONTH, fullest
from edge_agent.agent.answer.wording import NOT_FOUND, echoes, is_missing
from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import Evidence, Fact, as_text
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.words import words
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Done, Message
from edge_agent.engine.params import SamplingParams, Usage

__all__ = ["NOT_FOUND", "Answer", "Answerer", "echoes", "is_missing"]

GREEDY = SamplingParams(temperature=0)
# a thought before the answer: without it small models answer with the first name they see
THOUGHT: Mapping[str, object] = {"thought": {"type": "string", "maxLength": 200}}
COMPARED_CHARS = 60
MOST_CITATIONS = 4
ANSWER_TOKENS = 200
MARKED = 1e6  # more than any score
NO_COMPLETION = Completion("", "", (), Done("stop", Usage()))


class Answerer:
    """Draws answers from facts, and finds the facts behind an answer."""

    def __init__(
        self, chat: Chat, ranker: Ranker, tokens: int, shaped: Collection[Kind] = SHAPED
    ) -> None:
        self._chat = chat
        self._ranker = ranker
        self._tokens = tokens
        self._shaped = shaped

    async def extract(self, question: str, evidence: Evidence, feedback: str = "") -> Answer:
        """See `answer.Answering.extract`."""
        facts, wanted = self.closest(question, evidence), asked(question)
        compared = comparison(question, wanted)
        name, thought = ("compare", _compared(compared)) if compared else ("answer", THOUGHT)
        template, told = prompt(name), as_text(facts)
        text = template.format(facts=told, question=question)
        text += f"\nA first answer was wrong. {feedback}" if feedback else ""
        answer = shape(wanted, facts, self._shaped)
        completion = await self._point(text, facts, {**thought, "answer": answer})
        wrote = _loads(completion.text)
        settled = compared.settle(wrote) if compared else ""
        found = _without_made_up(settled or str(wrote.get("answer", "")), evidence)
        cited = self._cited(wrote, facts)
        is_example = _is_of_example(found, template, f"{told}\n{question}")
        if is_example or (wanted.kind == "place" and _is_date(found, facts)):
            found = NOT_FOUND
        if not is_missing(found):
            cited = self._with_carrier(cited, found, question, facts)
        if wanted.kind == "date":
            found = fullest(found, _on_their_pages(cited, facts))
        said = " ".join([question, found, *(str(wrote[key]) for key in wrote if key != "facts")])
        return _with_claims(found, bearing(cited, said), facts, completion)

    async def support(
        self, question: str, answer: str, evidence: Evidence, known: Collection[str] = ()
    ) -> Answer:
        """See `answer.Answering.support`."""
        answer = _without_made_up(answer, evidence, known)
        if is_missing(answer):
            return Answer(answer, (), NO_COMPLETION)
        facts = self.closest(f"{question} {answer}", evidence)
        text = prompt("support").format(
            facts=as_text(facts), question=question, answer=answer[:ANSWER_CHARS]
        )
        completion = await self._point(text, facts, {})
        cited = self._cited(_loads(completion.text), facts)
        cited = self._with_carrier(cited, answer, question, facts)
        cited = bearing(cited, f"{question} {answer}")
        return _with_claims(answer, cited, facts, completion)

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


def _on_their_pages(cited: Sequence[Fact], facts: Sequence[Fact]) -> list[str]:
    """The texts of the cited facts, and of the others from their pages."""
    pages = {fact.page.url for fact in cited}
    return [fact.passage.text for fact in facts if fact.page.url in pages]


def _is_date(text: str, facts: Sequence[Fact]) -> bool:
    """Whether a text begins as dates do, and is no name that begins so: "May Pen"."""
    month = re.match(rf"{MONTH}\b\W*", text)
    is_all = month is not None and month.end() == len(text)
    return is_all or (month is not None and not any(text in fact.passage.text for fact in facts))


def _is_of_example(text: str, examples: str, told: str) -> bool:
    """Whether a text is a name or a number of a prompt's worked examples, which nothing that was
    told has: small models copy those where they find nothing."""
    whole = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
    return has_name(text) and bool(whole.search(examples)) and not whole.search(told)


def _compared(comparison: Comparison) -> Mapping[str, object]:
    return {"compared": {"type": "string", "maxLength": COMPARED_CHARS}, **comparison.values}


def _loads(text: str) -> dict[str, object]:
    """The object a constrained generation wrote; {} when its token limit cut it off, or a server
    elsewhere did not hold it to the schema."""
    try:
        wrote = json.loads(text)
    except ValueError:
        return {}
    return wrote if isinstance(wrote, dict) else {}


def _without_made_up(answer: str, evidence: Evidence, known: Collection[str] = ()) -> str:
    """The answer without links that no tool returned; "not found" when nothing is left of it."""
    text = answer.strip()
    if links(text):
        text = without_made_up(text, {*known, *returned(evidence)})
    return text or NOT_FOUND


def _with_claims(
    text: str, cited: Sequence[Fact], facts: Sequence[Fact], completion: Completion
) -> Answer:
    """The answer with what was cited, and what its claims cite beside."""
    pointed = tuple(fact.citation for fact in cited)
    claimed = () if is_missing(text) else claims(text, pointed, facts)
    quotes = [quote for claim in claimed for quote in claim.citations]
    return Answer(text, tuple(dict.fromkeys([*pointed, *quotes])), completion, claimed)
