"""Which passages of a page speak to a purpose: words (BM25) and meaning (embeddings) together."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.refine.passages import Passage
from edge_agent.tools.embed import TextEmbedder

Scores = NDArray[np.float64]

# Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009)
BM25_K1 = 1.2
BM25_B = 0.75
EMBED_AT_MOST = 160  # passages of one turn that are embedded: the best by words, then the first
NEIGHBOUR_SHARE = 0.2  # of a passage's score that the ones beside it get

WORD = re.compile(r"\w+")
STOP_WORDS_TEXT = """
a an and are as at be been by did do does for from had has have how in is it its of on or that the
their there these this those to was were what when where which who whom whose why will with
"""
STOP_WORDS = frozenset(STOP_WORDS_TEXT.split())


def words(text: str) -> list[str]:
    """Lower-case words that carry meaning, with a plural's s taken off."""
    found = (word.lower() for word in WORD.findall(text))
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
        if word not in STOP_WORDS
    ]


def bm25(query: str, texts: Sequence[str]) -> Scores:
    """Okapi BM25 of every text for the query, with the texts as the collection."""
    bags = [Counter(words(text)) for text in texts]
    lengths = np.array([sum(bag.values()) for bag in bags], np.float64)
    average = max(float(lengths.mean()) if len(bags) else 0.0, 1.0)
    scores = np.zeros(len(bags))
    for term in set(words(query)):
        counts = np.array([bag[term] for bag in bags], np.float64)
        holders = int(np.count_nonzero(counts))
        idf = math.log(1 + (len(bags) - holders + 0.5) / (holders + 0.5))
        norm = counts + BM25_K1 * (1 - BM25_B + BM25_B * lengths / average)
        scores += idf * counts * (BM25_K1 + 1) / norm
    return scores


def z_scores(scores: Scores) -> Scores:
    """Scores with mean 0 and deviation 1, so that two kinds can be added."""
    deviation = float(scores.std()) if len(scores) else 0.0
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros_like(scores)


class Ranker:
    """Scores passages for a query. Without an embedder it ranks by words alone."""

    def __init__(self, embedder: TextEmbedder | None) -> None:
        self._embedder = embedder

    def scores(self, query: str, titles: Sequence[str], passages: Sequence[Passage]) -> Scores:
        """One number a passage, higher is better; comparable within one call only.

        titles: of the page each passage stands on; they count for the meaning, not for the words.
        """
        texts = [f"{passage.context} {passage.text}" for passage in passages]
        by_words = bm25(query, texts)
        total = z_scores(by_words)
        if self._embedder is not None and passages:
            total = total + self._by_meaning(self._embedder, query, titles, texts, by_words)
        return _with_neighbours(total)

    @staticmethod
    def _by_meaning(
        embedder: TextEmbedder,
        query: str,
        titles: Sequence[str],
        texts: Sequence[str],
        by_words: Scores,
    ) -> Scores:
        chosen = np.sort(np.argsort(-by_words, kind="stable")[:EMBED_AT_MOST])
        vectors = embedder.encode([query, *(f"{titles[i]}. {texts[i]}" for i in chosen)])
        similar = (vectors[1:] @ vectors[0]).astype(np.float64)
        scores = np.full(len(texts), -1.0)
        scores[chosen] = z_scores(similar)
        return scores


def _with_neighbours(scores: Scores) -> Scores:
    # a sentence beside a good one often holds the name the good one only calls "it"
    beside = np.zeros_like(scores)
    beside[1:] += scores[:-1]
    beside[:-1] += scores[1:]
    return scores + NEIGHBOUR_SHARE * beside
