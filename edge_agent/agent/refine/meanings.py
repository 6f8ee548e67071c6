"""How near passages are in meaning to a query, for as many as there is time to embed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.refine.bm25 import Scores, z_scores
from edge_agent.agent.refine.passages import Passage
from edge_agent.tools.embed import TextEmbedder

EMBED_CHARS = 3000  # of one call: 80 ms on two laptop cores, 120 ms on one
LONGEST_CHARS = 320  # of one passage
UNKNOWN = -0.5  # the z-score of a passage that was not embedded


def meaning(
    embedder: TextEmbedder,
    query: str,
    titles: Sequence[str],
    passages: Sequence[Passage],
    so_far: Scores,
) -> Scores:
    """z-scores of the cosine to the query, for the best so far; the others are UNKNOWN."""
    texts = [_text(title, one) for title, one in zip(titles, passages, strict=True)]
    chosen = _within(texts, so_far)
    scores = np.full(len(texts), UNKNOWN)
    if len(chosen):
        vectors = embedder.encode([query, *(texts[i] for i in chosen)])
        scores[chosen] = z_scores((vectors[1:] @ vectors[0]).astype(np.float64))
    return scores


def _text(title: str, passage: Passage) -> str:
    """A passage as it is embedded: behind its page's title and what it stands under."""
    under = passage.context.rsplit(" > ", 1)[-1]
    known = not under or under.casefold() in title.casefold()
    return f"{title}. {'' if known else f'{under}. '}{passage.text}"[:LONGEST_CHARS]


def _within(texts: Sequence[str], so_far: Scores) -> NDArray[np.int64]:
    """The best that fit into EMBED_CHARS, in the order they stand in."""
    order = np.argsort(-so_far, kind="stable")
    spent = np.cumsum([len(texts[i]) for i in order])
    return np.sort(order[: int(np.searchsorted(spent, EMBED_CHARS, side="right"))])
