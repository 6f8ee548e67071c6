"""Tokens guessed ahead: what followed the last time the same tokens came (prompt lookup).

Drafting by n-gram match over prompt and output is from A. Saxena, "Prompt Lookup Decoding" (2023);
a guess is checked by computing it, so what is written is drawn from the same distribution.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from edge_agent.engine.core.pace import Pace

GRAM = 3  # tokens that must match at least
LONGEST = 32  # of a match that is told from a longer one
CANDIDATES = 64  # earlier places that are compared, the latest first
MAX_DRAFT = 15  # tokens: with the one before them 16, which the kernels compute at once
GAIN = 1.05  # a draft must promise this many times the speed
WEIGHT = 0.15  # of the latest guess in the estimate of how many come true
# How often a guess comes true, by how many tokens before it match: to begin with.
CLASSES = (8, 16, LONGEST)
FIRST_ESTIMATES = (0.5, 0.8, 0.88, 0.93)


class Lookup:
    """Where in a growing sequence its last tokens stood before: the longest match, the latest of
    equals. A match that goes on being right is followed, however often its last words occur."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._place, self._length = 0, 0  # where the match ends, and its tokens
        self._latest: dict[tuple[int, ...], int] = {}
        self._earlier: list[int] = []  # end of the previous place with the same gram, by end
        self.extend(tokens)

    def extend(self, tokens: Sequence[int]) -> None:
        """The sequence has grown."""
        for token in tokens:
            self._tokens.append(token)
            end = len(self._tokens)
            gram = tuple(self._tokens[-GRAM:])
            self._earlier.append(self._latest.get(gram, 0))
            self._latest[gram] = end
            self._follow(token)

    def guess(self, n: int) -> tuple[list[int], int]:
        """Up to n tokens that may follow, and how many tokens before them match."""
        if not self._length and len(self._tokens) > GRAM:
            self._search()
        place = self._place
        return (self._tokens[place : place + n], self._length) if self._length else ([], 0)

    def _follow(self, token: int) -> None:
        """The match goes on by a token, or is over."""
        if self._length and self._tokens[self._place] == token:
            self._place, self._length = self._place + 1, min(self._length + 1, LONGEST)
        else:
            self._length = 0

    def _search(self) -> None:
        place = self._earlier[-1]
        for _ in range(CANDIDATES):
            if not place:
                break
            if (matched := self._matched(place)) > self._length:
                self._place, self._length = place, matched
            place = self._earlier[place - 1]

    def _matched(self, end: int) -> int:
        """How many tokens before `end` are those at the end of the sequence."""
        n, last = GRAM, len(self._tokens)
        while n < min(LONGEST, end) and self._tokens[end - n - 1] == self._tokens[last - n - 1]:
            n += 1
        return n


class Drafter:
    """Decides for one sequence how many tokens to guess, from how its guesses came true.

    Every step checks one guess for nothing, by comparing it with what was written anyway; so a
    sequence that begins to quote is noticed without having paid for it.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._chance = list(FIRST_ESTIMATES)
        self._open: tuple[int, int] | None = None  # the next guess and the tokens it matches

    @cached_property
    def _lookup(self) -> Lookup:
        # made when it is asked first: a request that waits, or is refused, has no use for it
        return Lookup(self._tokens)

    def draft(self, most: int, beside: int, pace: Pace) -> list[int]:
        """The tokens to compute with the next step, which has `beside` tokens without them."""
        ids, matched = self._lookup.guess(MAX_DRAFT)
        if not ids:
            return []
        self._open = (ids[0], matched)
        return ids[: self._best(min(most, len(ids)), beside, matched, pace)]

    def _best(self, most: int, beside: int, matched: int, pace: Pace) -> int:
        """The length that promises the most tokens per second, 0 when none is worth it."""
        best, speed = 0, GAIN * beside / pace.seconds(beside)
        expected, right = float(beside), 1.0
        for n in range(1, most + 1):
            right *= self._chance[_kind(matched + n - 1)]  # the match has grown by those before
            expected += right
            if expected / pace.seconds(beside + n) > speed:
                best, speed = n, expected / pace.seconds(beside + n)
        return best

    def wrote(self, tokens: Sequence[int]) -> None:
        """What the sequence went on with."""
        for token in tokens:
            if self._open is not None:
                guess, matched = self._open
                kind = _kind(matched)
                self._chance[kind] += WEIGHT * ((guess == token) - self._chance[kind])
            self._lookup.extend((token,))
            ids, matched = self._lookup.guess(1)
            self._open = (ids[0], matched) if ids else None


def _kind(matched: int) -> int:
    """The class of a guess behind so many tokens that match."""
    return bisect_right(CLASSES, matched)
