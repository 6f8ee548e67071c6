"""A page cut into the smallest things that can be quoted: sentences, list items, table rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PASSAGE_CHARS = 600  # a "sentence" longer than this is a wall of text and is cut at a space

# a sentence ends at . ! ? (and closing marks) before space and something that can begin one;
# not after an initial, a title or a short abbreviation
SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-ÞΑ-ΩА-Я一-鿿])")
ABBREVIATION = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|vs|ca|cf|Prof|Capt|Col|Gen|Lt|Sgt|Jr|Sr|Fig|Vol|Inc|Ltd"
    r"|Co|approx|etc|e\.g|i\.e|a\.m|p\.m))\.$"
)


@dataclass(frozen=True, slots=True)
class Passage:
    """`text` is a literal piece of the page, `position` its place in reading order.

    context is what it stands under and needs to be understood: the headings above it, and for a
    table row the header row.
    """

    position: int
    text: str
    context: str


def split(page_text: str) -> list[Passage]:
    """Cut a page (see `tools.base.Page`) into passages, in reading order."""
    passages: list[Passage] = []
    headings: list[tuple[int, str]] = []
    for block, header in _blocks(page_text):
        level = len(block) - len(block.lstrip("#"))
        if level and block[level : level + 1] == " ":
            headings = [*(h for h in headings if h[0] < level), (level, block[level:].strip())]
            continue
        context = " > ".join([title for _, title in headings] + ([header] if header else []))
        for text in [block] if header or block.startswith("|") else _sentences(block):
            passages.append(Passage(len(passages), text, context))
    return passages


def _blocks(page_text: str) -> Iterator[tuple[str, str]]:
    """Lines that say something, each with the header row of its table, or ""."""
    header, in_table = "", False
    for raw in page_text.splitlines():
        line = raw.strip()
        if not line.startswith("|"):
            header, in_table = "", False
        elif set(line) <= set("|-: "):
            continue
        elif not in_table:
            header, in_table = line, True
            continue
        if line:
            yield line, header if in_table else ""


def _sentences(block: str) -> Iterator[str]:
    text = re.sub(r"^(?:[-*•]|\d+[.)])\s+", "", block)
    start = 0
    for end in SENTENCE_END.finditer(text):
        if not ABBREVIATION.search(text[start : end.start()]):
            yield from _bounded(text[start : end.end()].strip())
            start = end.end()
    yield from _bounded(text[start:].strip())


def _bounded(sentence: str) -> Iterator[str]:
    while len(sentence) > MAX_PASSAGE_CHARS:
        cut = sentence.rfind(" ", 1, MAX_PASSAGE_CHARS)
        cut = cut if cut > 0 else MAX_PASSAGE_CHARS
        yield sentence[:cut]
        sentence = sentence[cut:].strip()
    if sentence:
        yield sentence
