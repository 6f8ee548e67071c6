"""Where a reader would end a sentence, in any script; text of any length in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_PASSAGE_CHARS = 600  # a "sentence" longer than this is a wall of text and is cut

# . ! ? end a sentence before space; the marks of scripts that write without spaces end it at once
SENTENCE_END = re.compile(
    r"[.!?…][\"'”’»)\]]{0,4}\s{1,20}(?=\S)|[。！？｡।॥۔؟።][\"'”’»」』）)\]]{0,4}\s{0,20}(?=\S)"
)
OPENING_MARKS = "\"'“‘«([„¿¡"
# not after an initial, a title or a short abbreviation
ABBREVIATION = re.compile(
    r"(?:\b[^\W\d_]|\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|vs|ca|cf|Prof|Capt|Col|Gen|Lt|Sgt|Jr|Sr|Fig|Vol|Inc"
    r"|Ltd|Co|Mt|Rev|Hon|Gov|Sen|Rep|Maj|Adm|approx|etc|al|e\.g|i\.e|a\.m|p\.m))\.$"
)
LOOK_BACK = 10  # characters an abbreviation may have
# where a wall of text is cut, the best place first
CUTS = (re.compile(r"[;:；：]\s*"), re.compile(r"[,、，،]\s*"), re.compile(r"\s+"))


def sentences(block: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence of a block, without the space around it."""
    start = 0
    for mark in SENTENCE_END.finditer(block):
        if _ends(block, start, mark):
            yield from _bounded(block, start, mark.end())
            start = mark.end()
    yield from _bounded(block, start, len(block))


def _ends(block: str, start: int, mark: re.Match[str]) -> bool:
    """A small letter goes on with the sentence, and so does what follows an abbreviation."""
    after = block[mark.end() : mark.end() + 3].lstrip(OPENING_MARKS)
    if after[:1].islower():
        return False
    before = block[max(start, mark.start() - LOOK_BACK) : mark.start() + 1]
    return not ABBREVIATION.search(before)


def _bounded(block: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > MAX_PASSAGE_CHARS:
        cut = _cut(block, start)
        yield from _trimmed(block, start, cut)
        start = cut
    yield from _trimmed(block, start, end)


def _cut(block: str, start: int) -> int:
    """Where to cut within the next 600 characters: in the later half when there is a good place."""
    middle, end = start + MAX_PASSAGE_CHARS // 2, start + MAX_PASSAGE_CHARS
    for kind in CUTS:
        places = [place.end() for place in kind.finditer(block, middle, end)]
        if places:
            return places[-1]
    return end


def _trimmed(block: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = block[start:end]
    text = piece.strip()
    if text:
        first = start + len(piece) - len(piece.lstrip())
        yield first, first + len(text)
