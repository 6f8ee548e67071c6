"""Signs that a passage matters, beside its own words and meaning: its place, and what links it."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from edge_agent.agent.refine.bm25 import Scores, bm25, z_scores
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.words import words

LINKING = 6  # passages whose links are followed
TELLING = 3  # passages whose words are looked for elsewhere
NEW_TERMS = 6  # of their words
# what a title holds beside the name of its page: "Thrift (ship) | Harbour News"
BESIDE_NAME = re.compile(r"\s+[|·–—-]\s.*$|\s*\([^)]*\)\s*(?=$|\s[|·–—-]\s)", re.DOTALL)


class Signals:
    """The signs of some passages for one query; `titles` of the page each one stands on.

    The methods that take scores go by what ranks best so far: they are a second look.
    """

    def __init__(self, query: str, titles: Sequence[str], passages: Sequence[Passage]) -> None:
        self._query = query
        self._passages = passages
        self._names = list(dict.fromkeys(titles))
        number = {title: i for i, title in enumerate(self._names)}
        self._pages = np.array([number[title] for title in titles], np.int64)
        self._opens = [float(passage.position == 0) for passage in passages]
        self._said = [words(passage.text) for passage in passages]
        self._headed = [frozenset(words(title)) for title in self._names]
        self._phrases = [_phrase(BESIDE_NAME.sub("", title)) for title in self._names]
        self._texts = [f"{t} {p.text}" for t, p in zip(titles, passages, strict=True)]

    # by place

    def first(self) -> Scores:
        """1 for what opens a page."""
        return np.array(self._opens, np.float64)

    def asked(self) -> Scores:
        """1 for every passage of a page that the query names."""
        said = _phrase(self._query)
        return self._spread([float(name in said) for name in self._phrases])

    # by what ranks best so far

    def linked(self, scores: Scores) -> Scores:
        """0 to 1: how good the best passage is that names the page from another page."""
        link = [0.0] * len(self._names)
        for i, share in best_of(scores, LINKING):
            text = self._passages[i].text
            said, names = _phrase(text), _capitals(text)
            for page, name in enumerate(self._phrases):
                if page != self._pages[i] and name in (said if name.count(" ") > 2 else names):
                    link[page] = max(link[page], share)
        return self._spread(link)

    def best_page(self, scores: Scores) -> Scores:
        """1 for every passage of the page that the best one stands on."""
        return np.asarray(self._pages == self._pages[int(np.argmax(scores))], np.float64)

    def missing(self, scores: Scores) -> Scores:
        """z-scores of BM25 for the words of the query that the best page does not have."""
        on_best = self.best_page(scores) > 0
        page = int(self._pages[int(np.argmax(scores))])
        had = self._headed[page].union(*(self._said[i] for i in np.flatnonzero(on_best)))
        rest = " ".join(word for word in words(self._query) if word not in had)
        found = bm25(rest, self._texts)
        found[on_best] = found[~on_best].mean() if not on_best.all() else 0.0
        return z_scores(found)

    def terms(self, scores: Scores) -> Scores:
        """z-scores of having rare words of the best passages, new to the query, on other pages."""
        pairs = zip(self._pages, self._said, strict=True)
        bags = [self._headed[page].union(said) for page, said in pairs]
        held = Counter(word for bag in bags for word in bag)
        best = best_of(scores, TELLING)
        worth: dict[str, float] = defaultdict(float)
        for i, share in best:
            for word in bags[i].difference(words(self._query)):
                worth[word] += share * math.log(1 + len(bags) / held[word])
        found = np.zeros(len(bags))
        ranked = sorted(worth.items(), key=lambda item: (-item[1], item[0]))
        for word, value in ranked[:NEW_TERMS]:
            homes = {int(self._pages[i]) for i, _ in best if word in bags[i]}
            elsewhere = [
                i for i, bag in enumerate(bags) if word in bag and homes - {self._pages[i]}
            ]
            found[elsewhere] += value
        return z_scores(found)

    def _spread(self, by_page: Sequence[float]) -> Scores:
        return np.array(by_page, np.float64)[self._pages]


def best_of(scores: Scores, n: int) -> list[tuple[int, float]]:
    """The best n, and how good each is beside the best: exp of the difference."""
    best = np.argsort(-scores, kind="stable")[:n]
    return [(int(i), math.exp(scores[i] - scores[best[0]])) for i in best]


def _phrase(text: str) -> str:
    """Words with a space on both sides of each, so that a name in a text is a substring."""
    found = words(text)
    return f" {' '.join(found)} " if found else "\0"


def _capitals(text: str) -> str:
    """The words that may be a name by themselves: a market is no link to a page called Market."""
    return _phrase(" ".join(word for word in text.split() if not word.lstrip("(“\"'").islower()))
