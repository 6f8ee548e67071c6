"""A page cut into the smallest things that can be quoted: sentences, list items, table rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from edge_agent.agent.refine.blocks import Block, blocks
from edge_agent.agent.refine.sentences import MAX_PASSAGE_CHARS, sentences

MAX_PASSAGES = 40_000  # of one page: 4 MB of prose; what lies beyond is not looked at

__all__ = ["MAX_PASSAGES", "MAX_PASSAGE_CHARS", "Passage", "split"]


@dataclass(frozen=True, slots=True)
class Passage:
    """`text` is a literal piece of the page, `position` its place in reading order.

    context is what it stands under and needs to be understood: the headings above it, the line
    that leads to its list, and for a table row the header row. block: passages of one paragraph,
    item or row share this number.
    """

    position: int
    text: str
    context: str
    block: int = 0


def split(page_text: str) -> list[Passage]:
    """Cut a page (see `tools.base.Page`) into passages, in reading order."""
    return list(islice(_passages(page_text), MAX_PASSAGES))


def _passages(page_text: str) -> Iterator[Passage]:
    position = 0
    for number, block in enumerate(blocks(page_text)):
        context = " > ".join(block.context)
        for text in _pieces(block):
            yield Passage(position, text, context, number)
            position += 1


def _pieces(block: Block) -> Iterator[str]:
    if block.is_row and len(block.text) <= MAX_PASSAGE_CHARS:
        yield block.text
        return
    for start, end in sentences(block.text):
        yield block.text[start:end]
