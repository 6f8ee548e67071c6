"""Which passages speak to a query: their words, their meaning, their place, and what links them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_agent.agent.refine.bm25 import Scores, bm25, z_scores
from edge_agent.agent.refine.meanings import meaning
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.signals import Signals
from edge_agent.agent.refine.vectors import VectorMemory
from edge_agent.agent.refine.weights import WEIGHTS, Weights
from edge_agent.agent.refine.words import words
from edge_agent.tools.embed import TextEmbedder

POOL = 400  # passages that are looked at closely: the best by words

__all__ = ["Ranker", "Scores", "bm25", "words", "z_scores"]


class Ranker:
    """Scores passages for a query. Without an embedder it ranks without their meaning.

    One instance may be used from several threads; it remembers the vectors used last.
    """

    def __init__(self, embedder: TextEmbedder | None, weights: Weights = WEIGHTS) -> None:
        self._embedder = VectorMemory(embedder) if embedder else None
        self._weights = weights

    def scores(self, query: str, titles: Sequence[str], passages: Sequence[Passage]) -> Scores:
        """One number a passage, higher is better; comparable within one call only.

        titles: of the page each passage stands on. With an embedder it takes up to a tenth of a
        second: call it in a thread from async code.
        """
        texts = [f"{passage.context} {passage.text}" for passage in passages]
        by_words = bm25(query, texts, titles, self._weights.title_words)
        pool = np.sort(np.argsort(-by_words, kind="stable")[:POOL])
        scores: Scores = by_words - (by_words.max(initial=0.0) + 1e3)  # behind the pool
        if len(pool):
            scores[pool] = self._closely(
                query, [titles[i] for i in pool], [passages[i] for i in pool], by_words[pool]
            )
        return scores

    def _closely(
        self, query: str, titles: Sequence[str], passages: Sequence[Passage], by_words: Scores
    ) -> Scores:
        """Words and place, what they point at, then meaning of the best, and what it points at."""
        w, signs = self._weights, Signals(query, titles, passages)
        total: Scores = w.words * z_scores(by_words)
        total += w.first * signs.first() + w.asked * signs.asked()
        if self._embedder is not None and w.meaning:
            so_far = total + self._second_look(signs, total)
            total += w.meaning * meaning(self._embedder, query, titles, passages, so_far)
        total += self._second_look(signs, total)
        return total

    def _second_look(self, signs: Signals, scores: Scores) -> Scores:
        w = self._weights
        found: Scores = (
            signs.linked(scores) * (w.linked + w.linked_first * signs.first())
            + w.best_page * signs.best_page(scores)
            + w.missing * signs.missing(scores)
            + w.terms * signs.terms(scores)
        )
        return found
