"""How much each sign counts that a passage speaks to a query."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Factors of signals that are z-scores, or lie between 0 and 1.

    docs/refiner.md has the measurements behind the values.

    words: BM25 of the passage, its context and, counted `title_words` times, its page's title.
    meaning: cosine of the embeddings of the query and of the passage behind its title.
    first: it opens its page. asked: the query names its page.
    Then, by what ranks best so far: linked: a good passage of another page names its page.
    linked_first: the same, when it opens its page. best_page: it is on the page of the best.
    missing: words of the query that the best page lacks. terms: words of the best passages that the
    query lacks.
    """

    words: float = 0.5
    title_words: float = 0.5
    meaning: float = 1.0
    first: float = 1.0
    asked: float = 0.5
    linked: float = 2.0
    linked_first: float = 2.0
    best_page: float = 1.0
    missing: float = 0.3
    terms: float = 0.3


WEIGHTS = Weights()
