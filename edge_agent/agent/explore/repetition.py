"""Notices that a generation has begun to go round in circles, while it is written."""

from __future__ import annotations

import re

LONGEST_CYCLE = 60  # words
LEAST_WORDS = 60  # how much must have been said again and again before it counts
LEAST_TIMES = 4  # how often a cycle must have come
MOST_BLANKS = 200  # characters of blank in a row
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])\w)+|[^\w\s]")


class Repetition:
    """Fed text in any pieces, it says when the same words come over and over at its end.

    A cycle is up to `LONGEST_CYCLE` words (signs count as words, and so does each character of
    Chinese and Japanese). It counts once it has come `LEAST_TIMES` times and fills `LEAST_WORDS`.
    """

    def __init__(self) -> None:
        self._words: list[str] = []
        self._runs = [0] * (LONGEST_CYCLE + 1)  # by cycle: words in a row that came a cycle before
        self._held = ""
        self._blanks = 0
        self.found = False

    def feed(self, text: str) -> bool:
        """Whether it repeats itself by now."""
        self._blanks = _trailing_blanks(text, self._blanks)
        whole = self._held + text
        words = list(_WORD.finditer(whole))
        # the last word may go on in the next piece
        kept = words[:-1] if words and words[-1].end() == len(whole) else words
        self._held = whole[kept[-1].end() :] if kept else whole
        if not words:
            self._held = ""
        for word in kept:
            self._add(word[0])
        self.found = self.found or self._blanks >= MOST_BLANKS
        return self.found

    def _add(self, word: str) -> None:
        for cycle in range(1, min(LONGEST_CYCLE, len(self._words)) + 1):
            run = self._runs[cycle] + 1 if self._words[-cycle] == word else 0
            self._runs[cycle] = run
            if run + cycle >= max(LEAST_WORDS, LEAST_TIMES * cycle):
                self.found = True
        self._words.append(word)
        del self._words[:-LONGEST_CYCLE]


def _trailing_blanks(text: str, before: int) -> int:
    """How many characters of blank stand at the end by now."""
    tail = len(text) - len(text.rstrip())
    return before + tail if tail == len(text) else tail
