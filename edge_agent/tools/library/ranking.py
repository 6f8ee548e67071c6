"""The search of a library: words and meanings fused, then the names on the best pages followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from edge_agent.store.library.index import LibraryIndex
from edge_agent.tools.library.asked import Asked
from edge_agent.tools.library.links import linked, titled
from edge_agent.tools.library.meaning import Meanings
from edge_agent.tools.library.weights import Weights

T = TypeVar("T")


class Ranking:
    """Finds the documents of one library that a question is about.

    meanings: likeness by vectors; without them words stand alone.
    """

    def __init__(self, index: LibraryIndex, meanings: Meanings | None, weights: Weights) -> None:
        self._index = index
        self._meanings = meanings
        self._weights = weights

    def find(self, question: Asked, limit: int) -> list[int]:
        """Documents, best first. Raises StoreError, BadModelFile."""
        weights = self._weights
        said = self._said(question)
        rankings = [
            (weights.words, said),
            (weights.meaning, self._like(question, said)),
            (weights.named, titled(self._index, question.names) if weights.named else []),
        ]
        best = self._fused(rankings)[: weights.sources]
        next_to = linked(self._index, best) if weights.linked else []
        return self._fused([*rankings, (weights.linked, next_to)])[:limit]

    def _said(self, question: Asked) -> list[int]:
        weights = self._weights
        if not weights.words:
            return []
        return [one for one, _ in self._index.search(question.match, weights.title, weights.pool)]

    def _like(self, question: Asked, said: Sequence[int]) -> list[int]:
        """The likest of all, or of those with the same words where there are too many vectors."""
        if self._meanings is None or not self._weights.meaning:
            return []
        vector = self._meanings.vector(question.text)
        near = self._meanings.nearest(vector, self._weights.pool)
        return near if near is not None else self._meanings.by_likeness(vector, said)

    def _fused(self, rankings: Sequence[tuple[float, Sequence[int]]]) -> list[int]:
        return fused(rankings, self._weights)


def fused(rankings: Sequence[tuple[float, Sequence[T]]], weights: Weights) -> list[T]:
    """Reciprocal rank fusion, after Cormack, Clarke and Buettcher, 2009; of equals the first met
    comes first."""
    scores: dict[T, float] = {}
    for weight, ranked in rankings:
        for rank, one in enumerate(ranked[: weights.pool]):
            scores[one] = scores.get(one, 0.0) + weight / (weights.offset + rank)
    return sorted(scores, key=lambda one: -scores[one])
