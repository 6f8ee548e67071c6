"""Okapi BM25 of texts for a query, with the texts as the collection; fast on a whole book."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.refine.words import plain, spellings, stem, words

Scores = NDArray[np.float64]

# Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009)
BM25_K1 = 1.2
BM25_B = 0.75


def bm25(
    query: str, texts: Sequence[str], titles: Sequence[str] = (), title_words: float = 0.0
) -> Scores:
    """One score a text. The words of its title count as so many of the text's own.

    Lengths are counted in characters: that is as good as words, and reading a text that has no
    word of the query is not needed.
    """
    terms = sorted(set(words(query)))
    counts = _counts(terms, texts)
    if titles and title_words:
        rows = {title: row for row, title in enumerate(dict.fromkeys(titles))}
        in_title = _counts(terms, list(rows))
        counts += title_words * in_title[[rows[title] for title in titles]]
    lengths = np.array([len(text) for text in texts], np.float64)
    relative = lengths / max(float(lengths.mean()), 1.0) if len(texts) else lengths
    holders = np.count_nonzero(counts, axis=0)
    idf = np.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
    norm = BM25_K1 * (1 - BM25_B + BM25_B * relative)
    scores: Scores = (counts * (BM25_K1 + 1) / (counts + norm[:, None])) @ idf
    return scores


def _counts(terms: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """(texts, terms): how often each text has each term."""
    column = {term: i for i, term in enumerate(terms)}
    columns: dict[str, list[int]] = {}  # of a spelling
    counts = np.zeros((len(texts), len(terms)))
    for row, text in enumerate(texts):
        flat = plain(text)
        if not any(term in flat for term in terms):
            continue
        for spelled in spellings(flat):
            found = columns.get(spelled)
            if found is None:
                found = [column[term] for term in stem(spelled) if term in column]
                columns[spelled] = found
            for at in found:
                counts[row, at] += 1
    return counts


def z_scores(scores: Scores) -> Scores:
    """Scores with mean 0 and deviation 1, so that two kinds can be added."""
    deviation = float(scores.std()) if len(scores) else 0.0
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros_like(scores)
