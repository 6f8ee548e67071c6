"""A page as blocks: paragraphs, list items and table rows, each under what it stands under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Literal, NamedTuple

Kind = Literal["heading", "row", "item", "plain"]

MAX_LINES = 40_000  # of one page; what lies beyond is not looked at
MAX_CONTEXT_CHARS = 160  # of a heading, a lead-in line or a header row
WRAPPED_CHARS = 100  # a text file's lines are broken at less than this
FULL_LINE = 0.75  # of the longest line: one that is shorter was ended on purpose

LINE = re.compile(r"\S[^\n]*")  # from its first mark; empty lines are not worth a look
HEADING = re.compile(r"(#{1,6}) +")
BULLET = re.compile(r"(?:[-*•‣▪◦–·]|\d{1,3}[.)])[ \t]+")
RULE = frozenset("|-: +=")


class Block(NamedTuple):
    """`text` is a literal piece of the page; context, outermost first, is what it stands under."""

    text: str
    context: tuple[str, ...]
    is_row: bool = False


class Line(NamedTuple):
    """A line that says something: page[start:end], and how far it is set in."""

    text: str
    start: int
    kind: Kind
    indent: int
    block: int  # lines with no empty line between them share this number

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def blocks(page: str) -> Iterator[Block]:
    """Everything on a page (see `tools.base.Page`) but its headings, in reading order."""
    headings: list[tuple[int, str]] = []
    lead = ""
    for (_, kind), run in groupby(islice(_lines(page), MAX_LINES), key=_run):
        if kind == "heading":
            headings, lead = _under(headings, run), ""
            continue
        context = tuple(title for _, title in headings)
        if kind == "row":
            yield from _table([line.text for line in run], (*context, lead) if lead else context)
            lead = ""
        elif kind == "item":
            yield from _items(run, (*context, lead) if lead else context)
        else:
            lead = ""
            for block in _paragraphs(page, list(run), context):
                lead = _short(block.text) if block.text.endswith((":", "：")) else ""
                yield block


def _lines(page: str) -> Iterator[Line]:
    end = block = 0
    for found in LINE.finditer(page):
        text = found.group().rstrip()
        start = found.start()
        block += page.count("\n", end, start) > 1
        begin = max(end, page.rfind("\n", end, start) + 1)
        yield Line(text, start, _kind(text), start - begin, block)
        end = start + len(text)


def _run(line: Line) -> tuple[int, Kind]:
    return line.block, line.kind


def _kind(text: str) -> Kind:
    if text.startswith("|"):
        return "row"
    if HEADING.match(text):
        return "heading"
    return "item" if BULLET.match(text) else "plain"


def _under(headings: list[tuple[int, str]], run: Iterator[Line]) -> list[tuple[int, str]]:
    """A heading closes those of its level and below."""
    for line in run:
        level = len(line.text) - len(line.text.lstrip("#"))
        kept = [heading for heading in headings if heading[0] < level]
        headings = [*kept, (level, _short(line.text[level:].strip()))]
    return headings


def _table(rows: list[str], context: tuple[str, ...]) -> Iterator[Block]:
    """Rows under the first one. It is a row itself, unless a rule below it says it is a header."""
    said = [row for row in rows if not RULE.issuperset(row)]
    if not said:
        return
    has_header = RULE.issuperset(rows[1]) if len(said) > 1 else False
    if not has_header:
        yield Block(said[0], context, is_row=True)
    under = (*context, _short(said[0]))
    for row in said[1:]:
        yield Block(row, under, is_row=True)


def _items(run: Iterator[Line], context: tuple[str, ...]) -> Iterator[Block]:
    """Items under the line that leads to them, and under the items they are nested in."""
    above: list[tuple[int, str]] = []
    for line in run:
        text = BULLET.sub("", line.text, count=1)
        above = [item for item in above if item[0] < line.indent]
        yield Block(text, (*context, *(item for _, item in above)))
        above.append((line.indent, _short(text)))


def _paragraphs(page: str, run: list[Line], context: tuple[str, ...]) -> Iterator[Block]:
    """Lines as they are, or whole paragraphs where a text file has broken them at its margin."""
    longest = max(len(line.text) for line in run)
    wrapped = FULL_LINE * WRAPPED_CHARS / 2 < longest <= WRAPPED_CHARS
    start = run[0].start
    for line, following in zip(run, [*run[1:], None], strict=True):
        goes_on = wrapped and len(line.text) >= FULL_LINE * longest
        if following is None or not goes_on:
            yield Block(page[start : line.end], context)
            start = following.start if following else line.end


def _short(text: str) -> str:
    line = " ".join(text[: 2 * MAX_CONTEXT_CHARS].split())
    return line if len(line) <= MAX_CONTEXT_CHARS else line[: MAX_CONTEXT_CHARS - 1] + "…"
