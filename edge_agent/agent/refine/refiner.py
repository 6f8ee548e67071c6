"""The refiner: pages in, notes out. Raw page text never enters the model's window."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any

from edge_agent.agent.records import Note
from edge_agent.agent.refine.condense import Condensed, condense_request, read_reply
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.frames import without_frames
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.ranker import Ranker, Scores
from edge_agent.agent.refine.selection import select
from edge_agent.chat.messages import Chat, Completion
from edge_agent.engine.params import Usage
from edge_agent.errors import ContextOverflow
from edge_agent.tools.base import Page

LINE_TOKENS = 6  # a fact's number, brackets and line end
RANKED_SHARE = 0.33  # of the window that the passages of a turn may take before a model
NOTED_SHARE = 0.2  # of the window that their notes may take


@dataclass(frozen=True, slots=True)
class NoteBudget:
    """Tokens of one turn's pages that may reach the window.

    pages: how many pages of a turn are refined. ranked: what ranking keeps of them all together.
    noted: what their notes may hold together; when ranking keeps more, the model condenses.
    """

    pages: int
    ranked: int
    noted: int

    def within(self, n_ctx: int) -> NoteBudget:
        """The same for a window that has no room for so much."""
        ranked, noted = int(RANKED_SHARE * n_ctx), int(NOTED_SHARE * n_ctx)
        return NoteBudget(self.pages, min(self.ranked, ranked), min(self.noted, noted))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may become a fact, and the number of its page among those of the turn."""

    home: int
    page: Page
    passage: Passage


@dataclass(frozen=True, slots=True)
class Reading:
    """What is kept of one page, best first; with the model's own lines when it condensed."""

    kept: tuple[Candidate, ...]
    condensed: Condensed | None = None
    completion: Completion | None = None


@dataclass(frozen=True, slots=True)
class Refined:
    """Notes of a turn's pages, one a page.

    completion: when the model condensed: what it wrote of all pages, with the sum of their usage.
    """

    notes: tuple[Note, ...] = ()
    completion: Completion | None = None


class Refiner:
    """Splits pages, ranks their passages for a purpose, keeps a budget, condenses, attributes."""

    def __init__(self, chat: Chat, ranker: Ranker, budget: NoteBudget, prompt: str) -> None:
        self._chat = chat
        self._ranker = ranker
        self._budget = budget.within(chat.n_ctx)
        self._prompt = prompt

    async def refine(
        self,
        pages: Sequence[Page],
        purpose: str,
        question: str,
        evidence: Evidence,
    ) -> Refined:
        """Split, rank, condense, attribute. The pages of a turn compete for one budget."""
        chosen = _distinct(pages)[: self._budget.pages]
        ranked = await self._ranked(chosen, purpose, question)
        readings = await self._read(ranked, purpose, question)
        notes = self._notes(chosen, readings, evidence)
        return Refined(notes, _together([r.completion for r in readings if r.completion]))

    async def _ranked(self, pages: Sequence[Page], purpose: str, question: str) -> list[Candidate]:
        """The best within the budget, best first; all of them when they fit in the notes."""
        candidates, scores = await asyncio.to_thread(self._scored, pages, purpose, question)
        if scores is None:
            return candidates
        kept = select(
            [c.passage for c in candidates],
            [c.home for c in candidates],
            scores,
            lambda i: self._cost(candidates[i]),
            self._budget.ranked,
        )
        return [candidates[i] for i in kept]

    def _scored(
        self, pages: Sequence[Page], purpose: str, question: str
    ) -> tuple[list[Candidate], Scores | None]:
        """Everything the pages say, and how well; no scores when all of it fits in the notes."""
        candidates = [
            Candidate(home, page, passage)
            for home, (page, passages) in enumerate(zip(pages, without_frames(pages), strict=True))
            for passage in passages
        ]
        if self._fits(candidates, self._budget.noted):
            return candidates, None
        titles = [c.page.title for c in candidates]
        query = purpose if question in purpose else f"{purpose} {question}".strip()
        return candidates, self._ranker.scores(query, titles, [c.passage for c in candidates])

    async def _read(
        self, ranked: Sequence[Candidate], purpose: str, question: str
    ) -> list[Reading]:
        """Let the model point at what matters, where ranking alone keeps too much."""
        homes = list(dict.fromkeys(c.home for c in ranked))
        pages = [tuple(c for c in ranked if c.home == home) for home in homes]
        if self._fits(ranked, self._budget.noted):
            return [Reading(own) for own in pages]
        share = self._budget.noted // len(pages)
        return await _all([self._read_page(own, share, purpose, question) for own in pages])

    async def _read_page(
        self, own: tuple[Candidate, ...], share: int, purpose: str, question: str
    ) -> Reading:
        if self._fits(own, share):
            return Reading(own)
        title, passages = own[0].page.title, [c.passage for c in own]
        request = condense_request(self._prompt, title, passages, purpose, question)
        try:
            prompt = self._chat.prepare(request)
        except ContextOverflow:
            return Reading(own)  # a window too small for a second look: ranking stands
        completion = await self._chat.complete(prompt)
        condensed = read_reply(completion.text, title, passages)
        return Reading(tuple(own[i] for i in condensed.pointed), condensed, completion)

    def _notes(
        self,
        pages: Sequence[Page],
        readings: Sequence[Reading],
        evidence: Evidence,
    ) -> tuple[Note, ...]:
        """A note for every page, its facts in reading order; empty where nothing was kept."""
        by_turns = chain.from_iterable(zip_longest(*(reading.kept for reading in readings)))
        kept, left = self._within([c for c in by_turns if c is not None], self._budget.noted)
        lines = {r.kept[0].home: r.condensed for r in readings if r.kept and r.condensed}
        notes = []
        for home, page in enumerate(pages):
            own = [c.passage for c in kept if c.home == home]
            facts = evidence.add(page, sorted(own, key=lambda passage: passage.position))
            text = as_text(facts)
            said = _with_lines(text, lines[home]) if text and home in lines else text
            cost = self._chat.count(said) - self._chat.count(text)
            fits = cost <= left
            left -= cost if fits else 0
            notes.append(Note(page.source, page.url, page.title, said if fits else text))
        return tuple(notes)

    def _within(self, best_first: Sequence[Candidate], budget: int) -> tuple[list[Candidate], int]:
        """As many as fit, in the order given, and what is left of the budget."""
        kept: list[Candidate] = []
        for candidate in best_first:
            cost = self._cost(candidate)
            if cost <= budget:
                kept.append(candidate)
                budget -= cost
        return kept, budget

    def _cost(self, candidate: Candidate) -> int:
        return self._chat.count(candidate.passage.text) + LINE_TOKENS

    def _fits(self, candidates: Sequence[Candidate], budget: int) -> bool:
        if len(candidates) * LINE_TOKENS > budget:
            return False  # counting the tokens of a book takes longer than ranking it
        return sum(map(self._cost, candidates)) <= budget


def _distinct(pages: Sequence[Page]) -> list[Page]:
    by_url: dict[str, Page] = {}
    for page in pages:
        by_url.setdefault(page.url, page)
    return list(by_url.values())


async def _all(work: Sequence[Coroutine[Any, Any, Reading]]) -> list[Reading]:
    """All at once, so that the engine computes them in one batch; none outlives a failure."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _together(completions: Sequence[Completion]) -> Completion | None:
    """One completion that stands for several in the accounts."""
    if not completions:
        return None
    usage = sum((c.done.usage for c in completions), Usage())
    text = "\n".join(c.text for c in completions)
    return Completion(text, "", (), replace(completions[0].done, usage=usage))


def _with_lines(text: str, condensed: Condensed) -> str:
    """A note with the model's own lines around the evidence."""
    parts = [text]
    if condensed.rational:
        parts = [f"Rational: {condensed.rational}", *parts]
    if condensed.summary:
        parts.append(f"Summary: {condensed.summary}")
    return "\n".join(parts)
