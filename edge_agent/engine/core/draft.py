"""Tokens guessed ahead: what followed the last time the same tokens came (prompt lookup).

Drafting by n-gram match over prompt and output is from A. Saxena, "Prompt Lookup Decoding" (2023);
a guess is checked by computing it, so what is written is drawn from the same distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.engine.core.pace import Pace

GRAM = 3  # tokens that must match at least
LONGEST = 8  # of a match that is told from a longer one
CANDIDATES = 8  # earlier places that are compared, the latest first
MAX_DRAFT = 8  # tokens; llama.cpp reserves room for their logits
GAIN = 1.05  # a draft must promise this many times the speed
WEIGHT = 0.15  # of the latest guess in the estimate of how many come true
FIRST_ESTIMATE = 0.6


class Lookup:
    """Where in a growing sequence its last tokens stood before."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
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

    def guess(self, n: int) -> tuple[list[int], int]:
        """Up to n tokens that may follow, and how many tokens before them match."""
        best, length = 0, 0
        place = self._earlier[-1] if len(self._tokens) > GRAM else 0
        for _ in range(CANDIDATES):
            if not place:
                break
            if (matched := self._matched(place)) > length:
                best, length = place, matched
            place = self._earlier[place - 1]
        return (self._tokens[best : best + n], length) if best else ([], 0)

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
        self._lookup = Lookup(tokens)
        self._chance = [FIRST_ESTIMATE, FIRST_ESTIMATE]  # of a guess: after short, long matches
        self._open: tuple[int, int] | None = None  # the next guess and its kind

    def draft(self, most: int, beside: int, pace: Pace) -> list[int]:
        """The tokens to compute with the next step, which has `beside` tokens without them."""
        ids, matched = self._lookup.guess(MAX_DRAFT)
        if not ids:
            return []
        kind = int(matched >= LONGEST)
        self._open = (ids[0], kind)
        return ids[: self._best(min(most, len(ids)), beside, self._chance[kind], pace)]

    @staticmethod
    def _best(most: int, beside: int, chance: float, pace: Pace) -> int:
        """The length that promises the most tokens per second, 0 when none is worth it."""
        best, speed = 0, GAIN * beside / pace.seconds(beside)
        expected = float(beside)
        for n in range(1, most + 1):
            expected += chance**n
            if expected / pace.seconds(beside + n) > speed:
                best, speed = n, expected / pace.seconds(beside + n)
        return best

    def wrote(self, tokens: Sequence[int]) -> None:
        """What the sequence went on with."""
        for token in tokens:
            if self._open is not None:
                guess, kind = self._open
                self._chance[kind] += WEIGHT * ((guess == token) - self._chance[kind])
            self._lookup.extend((token,))
            ids, matched = self._lookup.guess(1)
            self._open = (ids[0], int(matched >= LONGEST)) if ids else None
