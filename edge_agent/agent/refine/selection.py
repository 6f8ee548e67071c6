"""The best passages within a budget: each fact once, and what a pronoun stands for beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.ranker import Scores
from edge_agent.agent.refine.words import words

SAME = 0.9  # of the words of two passages together: more, and they say the same
FEWEST_WORDS = 5  # shorter passages may be alike and say different things
CHEAP = 0.15  # of the budget that is left may be spent on what a pronoun stands for
MISSES = 40  # passages in a row that do not fit or say nothing new: the rest is not tried
REFERS_BACK = re.compile(
    r"(?:He|She|It|They|This|That|These|Those|His|Her|Hers|Its|Their|Such|Er|Sie|Es|Il|Elle|Ils"
    r"|Elles|Ello|Ella|Ellos)\b(?!['’]s )"
)


def select(
    passages: Sequence[Passage],
    homes: Sequence[int],
    scores: Scores,
    cost: Callable[[int], float],
    budget: float,
) -> list[int]:
    """Indices of what is kept, best first; costs together are at most `budget`.

    homes: the number of the page each passage stands on. One that does not fit leaves room for
    shorter ones. A passage that begins by referring back brings the sentence it refers to, where
    that is cheap. A passage that says what a better one said is left out.
    """
    kept = _Kept(passages, homes, cost, budget)
    misses = 0
    for i in np.argsort(-scores, kind="stable"):
        misses = 0 if kept.offer(int(i)) else misses + 1
        if misses == MISSES:
            break
    return kept.indices


class _Kept:
    """What was kept so far, and what of the budget is left."""

    def __init__(
        self,
        passages: Sequence[Passage],
        homes: Sequence[int],
        cost: Callable[[int], float],
        budget: float,
    ) -> None:
        self.indices: list[int] = []
        self._passages = passages
        self._homes = homes
        self._cost = cost
        self._left = budget
        self._said: list[frozenset[str]] = []

    def offer(self, i: int) -> bool:
        """Keep a passage when it fits and says something new; False when not."""
        if i in self.indices:
            return True
        cost = self._cost(i)
        if cost > self._left or not self._is_new(i):
            return False
        self._keep(i, cost)
        self._bring_antecedent(i)
        return True

    def _keep(self, i: int, cost: float) -> None:
        self.indices.append(i)
        self._left -= cost

    def _is_new(self, i: int) -> bool:
        said = frozenset(words(self._passages[i].text))
        if len(said) >= FEWEST_WORDS:
            if any(_says_the_same(said, other) for other in self._said):
                return False
            self._said.append(said)
        return True

    def _bring_antecedent(self, i: int) -> None:
        j = antecedent(self._passages, self._homes, i)
        if j is None or j in self.indices:
            return
        cost = self._cost(j)
        if cost <= CHEAP * self._left:
            self._keep(j, cost)


def _says_the_same(one: frozenset[str], other: frozenset[str]) -> bool:
    # another number is another fact, however many words are the same
    numbers = any(char.isdigit() for word in one ^ other for char in word)
    return not numbers and len(one & other) >= SAME * len(one | other)


def antecedent(passages: Sequence[Passage], homes: Sequence[int], i: int) -> int | None:
    """The nearest sentence before, in the same paragraph, that does not refer back itself."""
    if not REFERS_BACK.match(passages[i].text):
        return None
    for j in range(i - 1, -1, -1):
        if (homes[j], passages[j].block) != (homes[i], passages[i].block):
            return None
        if not REFERS_BACK.match(passages[j].text):
            return j
    return None
