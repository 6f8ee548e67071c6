"""The refiner: pages in, notes out. Raw page text never enters the model's window."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.agent.evidence import Evidence, Fact, as_text
from edge_agent.agent.passages import Passage, split
from edge_agent.agent.ranker import Ranker
from edge_agent.agent.records import Note
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.engine.params import SamplingParams
from edge_agent.tools.base import Page

GREEDY = SamplingParams(temperature=0)
CONDENSE_TOKENS = 96
BACKGROUND = 1


@dataclass(frozen=True, slots=True)
class NoteBudget:
    """Tokens of one page that may reach the window.

    ranked: what ranking keeps of a page. noted: what a note may hold; when ranking keeps more, the
    model condenses. pages: how many pages of a turn are refined.
    """

    ranked: int = 480
    noted: int = 240
    pages: int = 4


@dataclass(frozen=True, slots=True)
class Refined:
    """A page's note and the facts it is made of; `completion` when the model condensed."""

    note: Note
    facts: tuple[Fact, ...]
    completion: Completion | None = None


class Refiner:
    """Splits a page, ranks its passages for a purpose, keeps a budget, condenses, attributes."""

    def __init__(self, chat: Chat, ranker: Ranker, budget: NoteBudget, prompt: str) -> None:
        self._chat = chat
        self._ranker = ranker
        self._budget = budget
        self._prompt = prompt

    async def refine_all(
        self, pages: Sequence[Page], purpose: str, question: str, evidence: Evidence
    ) -> list[Refined]:
        """The pages of a turn, refined together: their generations share the engine's batches."""
        chosen = pages[: self._budget.pages]
        return await asyncio.gather(
            *(self.refine(page, purpose, question, evidence) for page in chosen)
        )

    async def refine(self, page: Page, purpose: str, question: str, evidence: Evidence) -> Refined:
        """Split, rank, condense, attribute."""
        passages = split(page.text)
        ranked = await asyncio.to_thread(self._rank, page, passages, f"{purpose} {question}")
        kept, completion = await self._condense(page, ranked, purpose, question)
        facts = evidence.add(page, kept)
        note = Note(page.source, page.url, page.title, as_text(facts))
        return Refined(note, tuple(facts), completion)

    def _rank(self, page: Page, passages: list[Passage], query: str) -> list[Passage]:
        """The best passages within the budget, in reading order."""
        if self._tokens(passages) <= self._budget.noted:
            return passages
        scores = self._ranker.scores(query, page.title, passages)
        best = [passages[i] for i in np.argsort(-scores, kind="stable")]
        return self._within(best, self._budget.ranked)

    async def _condense(
        self, page: Page, ranked: list[Passage], purpose: str, question: str
    ) -> tuple[list[Passage], Completion | None]:
        """Let the model point at what matters, when ranking alone keeps too much."""
        if self._tokens(ranked) <= self._budget.noted:
            return ranked, None
        request = self._request(page, ranked, purpose, question)
        completion = await self._chat.complete(self._chat.prepare(request))
        chosen = _chosen(completion.text, len(ranked))
        kept = [ranked[i] for i in chosen]
        return self._within(kept, self._budget.noted), completion

    def _request(
        self, page: Page, ranked: list[Passage], purpose: str, question: str
    ) -> ChatRequest:
        lines = "\n".join(f"[{i}] {p.text}" for i, p in enumerate(ranked, 1))
        text = self._prompt.format(
            question=question, purpose=purpose, title=page.title, passages=lines
        )
        return ChatRequest(
            (Message("user", text),),
            response_schema=_pointing_schema(len(ranked)),
            sampling=GREEDY,
            max_tokens=CONDENSE_TOKENS,
            thinking=False,
            priority=BACKGROUND,
        )

    def _within(self, best_first: list[Passage], budget: int) -> list[Passage]:
        kept: list[Passage] = []
        left = budget
        for passage in best_first:
            cost = self._chat.count(passage.text) + 6  # its number, brackets and line end
            if cost <= left:
                kept.append(passage)
                left -= cost
        return sorted(kept, key=lambda p: p.position)

    def _tokens(self, passages: Sequence[Passage]) -> int:
        return sum(self._chat.count(passage.text) + 6 for passage in passages)


def _pointing_schema(n: int) -> dict[str, object]:
    numbers = {"type": "integer", "minimum": 1, "maximum": n}
    return {
        "type": "object",
        "properties": {"relevant": {"type": "array", "items": numbers, "maxItems": 8}},
        "required": ["relevant"],
        "additionalProperties": False,
    }


def _chosen(text: str, n: int) -> list[int]:
    """Indices the model pointed at, each once; all of them when it was cut off."""
    try:
        numbers = json.loads(text)["relevant"]
    except (ValueError, KeyError, TypeError):
        return list(range(n))
    return list(dict.fromkeys(i - 1 for i in numbers if isinstance(i, int) and 1 <= i <= n))
