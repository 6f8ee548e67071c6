"""The refiner: pages in, notes out. Raw page text never enters the model's window."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.agent.records import Note
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.passages import Passage, split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.engine.params import SamplingParams
from edge_agent.tools.base import Page

GREEDY = SamplingParams(temperature=0)
CONDENSE_TOKENS = 96
BACKGROUND = 1
LINE_TOKENS = 6  # a fact's number, brackets and line end


@dataclass(frozen=True, slots=True)
class NoteBudget:
    """Tokens of one turn's pages that may reach the window.

    pages: how many pages of a turn are refined. ranked: what ranking keeps of them all together.
    noted: what their notes may hold together; when ranking keeps more, the model condenses.
    """

    pages: int
    ranked: int
    noted: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may become a fact."""

    page: Page
    passage: Passage
    tokens: int


@dataclass(frozen=True, slots=True)
class Refined:
    """Notes of a turn's pages, one a page; `completion` when the model condensed them."""

    notes: tuple[Note, ...] = ()
    completion: Completion | None = None


class Refiner:
    """Splits pages, ranks their passages for a purpose, keeps a budget, condenses, attributes."""

    def __init__(self, chat: Chat, ranker: Ranker, budget: NoteBudget, prompt: str) -> None:
        self._chat = chat
        self._ranker = ranker
        self._budget = budget
        self._prompt = prompt

    async def refine(
        self, pages: Sequence[Page], purpose: str, question: str, evidence: Evidence
    ) -> Refined:
        """Split, rank, condense, attribute. The pages of a turn compete for one budget."""
        chosen = pages[: self._budget.pages]
        candidates = self._split(chosen)
        ranked = await asyncio.to_thread(self._rank, candidates, f"{purpose} {question}")
        kept, completion = await self._condense(ranked, purpose, question)
        return Refined(_attribute(chosen, kept, evidence), completion)

    def _split(self, pages: Sequence[Page]) -> list[Candidate]:
        return [
            Candidate(page, passage, self._chat.count(passage.text) + LINE_TOKENS)
            for page in pages
            for passage in split(page.text)
        ]

    def _rank(self, candidates: list[Candidate], query: str) -> list[Candidate]:
        """The best within the budget, best first; all of them when they fit in the notes."""
        if sum(c.tokens for c in candidates) <= self._budget.noted:
            return candidates
        passages = [c.passage for c in candidates]
        titles = [c.page.title for c in candidates]
        scores = self._ranker.scores(query, titles, passages)
        best = [candidates[i] for i in np.argsort(-scores, kind="stable")]
        return _within(best, self._budget.ranked)

    async def _condense(
        self, ranked: list[Candidate], purpose: str, question: str
    ) -> tuple[list[Candidate], Completion | None]:
        """Let the model point at what matters, when ranking alone keeps too much."""
        if sum(c.tokens for c in ranked) <= self._budget.noted:
            return ranked, None
        request = self._request(ranked, purpose, question)
        completion = await self._chat.complete(self._chat.prepare(request))
        chosen = [ranked[i] for i in _pointed_at(completion.text, len(ranked))]
        return _within(chosen, self._budget.noted), completion

    def _request(self, ranked: list[Candidate], purpose: str, question: str) -> ChatRequest:
        lines = "\n".join(
            f"[{i}] {c.page.title}: {c.passage.text}" for i, c in enumerate(ranked, 1)
        )
        text = self._prompt.format(question=question, purpose=purpose, passages=lines)
        return ChatRequest(
            (Message("user", text),),
            response_schema=_pointing_schema(len(ranked)),
            sampling=GREEDY,
            max_tokens=CONDENSE_TOKENS,
            thinking=False,
            priority=BACKGROUND,
        )


def _within(best_first: list[Candidate], budget: int) -> list[Candidate]:
    """As many as fit, in the order given; one that does not fit leaves room for shorter ones."""
    kept: list[Candidate] = []
    for candidate in best_first:
        if candidate.tokens <= budget:
            kept.append(candidate)
            budget -= candidate.tokens
    return kept


def _attribute(
    pages: Sequence[Page], kept: Sequence[Candidate], evidence: Evidence
) -> tuple[Note, ...]:
    """A note for every page, its facts in reading order; empty where nothing was kept."""
    notes = []
    for page in pages:
        own = [c.passage for c in kept if c.page is page]
        facts = evidence.add(page, sorted(own, key=lambda passage: passage.position))
        notes.append(Note(page.source, page.url, page.title, as_text(facts)))
    return tuple(notes)


def _pointing_schema(n: int) -> dict[str, object]:
    numbers = {"type": "integer", "minimum": 1, "maximum": n}
    return {
        "type": "object",
        "properties": {"relevant": {"type": "array", "items": numbers, "maxItems": 8}},
        "required": ["relevant"],
        "additionalProperties": False,
    }


def _pointed_at(text: str, n: int) -> list[int]:
    """Indices the model pointed at, each once; all of them when it was cut off."""
    try:
        numbers = [*json.loads(text)["relevant"]]
    except (ValueError, KeyError, TypeError):
        return list(range(n))
    return list(dict.fromkeys(i - 1 for i in numbers if isinstance(i, int) and 1 <= i <= n))
