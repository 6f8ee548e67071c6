"""Word documents (.docx) -> title and text."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

from lxml import etree

from edge_agent.errors import FetchError
from edge_agent.tools.base import Link
from edge_agent.tools.read.document import Extracted, clipped, name_of

MAX_MEMBERS = 10_000
MAX_PART_BYTES = 48 * 2**20  # of one part, unpacked; the text of a book of 5,000 pages
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
# text that was struck out, numbers of fields and pages, and second copies of drawings
_SKIPPED = frozenset(
    {f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}pPr", f"{_W}rPr"}
    | {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
)
_BREAKS = {f"{_W}tab": " ", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")


def read_docx(data: bytes, charset: str, url: str) -> Extracted:
    """Headings, lists, tables and notes in their order, as the document shows them now.

    Raises FetchError: unsupported for a damaged or locked file, too_large when a part unpacks to
    more than MAX_PART_BYTES, whatever the archive says of its size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _document(_Parts(archive, url), url)
    except (zipfile.BadZipFile, zlib.error, etree.LxmlError, EOFError, OSError, ValueError):
        _damaged(url)
    except (NotImplementedError, RuntimeError) as error:  # a packing or a lock that is not known
        message = f"{url} is a Word document that cannot be opened: it may be locked."
        raise FetchError(message, url, "unsupported") from error


class _Parts:
    """The parts of an archive as trees, unpacked within limits."""

    def __init__(self, archive: zipfile.ZipFile, url: str) -> None:
        self._archive = archive
        self._url = url
        self._names = frozenset(archive.namelist())
        if len(self._names) > MAX_MEMBERS:
            _damaged(url)

    def tree(self, name: str) -> Any | None:
        """None when there is no such part."""
        if name not in self._names:
            return None
        with self._archive.open(name) as member:
            data = member.read(MAX_PART_BYTES + 1)
        if len(data) > MAX_PART_BYTES:
            limit = f"{MAX_PART_BYTES // 2**20} MiB"
            message = f"{self._url} unpacks to more than {limit}: it is not read."
            raise FetchError(message, self._url, "too_large")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return etree.fromstring(data, parser)


def _document(parts: _Parts, url: str) -> Extracted:
    tree = parts.tree("word/document.xml")
    body = None if tree is None else tree.find(f"{_W}body")
    if body is None:
        _damaged(url)
    levels = _heading_levels(parts.tree("word/styles.xml"))
    blocks = list(_blocks(body, levels))
    for name in _NOTES:
        notes = parts.tree(name)
        blocks += (
            [text for note in notes for text in _blocks(note, {})] if notes is not None else []
        )
    text = clipped("\n\n".join(_joined(blocks)))
    return Extracted(_title(parts) or _first_heading(blocks) or name_of(url), text, _links(parts))


def _damaged(url: str) -> NoReturn:
    message = f"{url} is a Word document that cannot be read: it may be damaged."
    raise FetchError(message, url, "unsupported")


def _blocks(parent: Any, levels: dict[str, int]) -> Iterator[str]:
    """Paragraphs and table rows below a node, in order."""
    for node in parent:
        if node.tag == f"{_W}p":
            if text := _paragraph(node, levels):
                yield text
        elif node.tag == f"{_W}tbl":
            yield from _rows(node)
        elif node.tag not in _SKIPPED:
            yield from _blocks(node, levels)


def _paragraph(node: Any, levels: dict[str, int]) -> str:
    text = _text(node)
    if not text:
        return ""
    properties = node.find(f"{_W}pPr")
    if properties is None:
        return text
    style = properties.find(f"{_W}pStyle")
    level = levels.get("" if style is None else style.get(f"{_W}val", ""), 0)
    if level:
        return f"{'#' * level} {' '.join(text.split())}"
    return f"- {text}" if properties.find(f"{_W}numPr") is not None else text


def _text(node: Any) -> str:
    lines = "".join(_pieces(node)).split("\n")
    return "\n".join(tidy for line in lines if (tidy := " ".join(line.split())))


def _pieces(node: Any) -> Iterator[str]:
    for child in node:
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag == f"{_W}p":  # a box of text inside a paragraph
            yield f"\n{_text(child)}\n"
        elif child.tag not in _SKIPPED:
            yield from _pieces(child)


def _rows(table: Any) -> Iterator[str]:
    for row in table.iterchildren(f"{_W}tr"):
        cells = [" ".join(_cell(cell)) for cell in row.iterchildren(f"{_W}tc")]
        if any(cells):
            yield f"| {' | '.join(cells)} |"


def _cell(cell: Any) -> Iterator[str]:
    for block in _blocks(cell, {}):
        yield " ".join(block.split())


def _joined(blocks: list[str]) -> Iterator[str]:
    """Rows of a table and items of a list stand under each other without an empty line."""
    run: list[str] = []
    for block in blocks:
        if run and not (block[:2] in ("| ", "- ") and block[:2] == run[-1][:2]):
            yield "\n".join(run)
            run = []
        run.append(block)
    if run:
        yield "\n".join(run)


def _heading_levels(styles: Any | None) -> dict[str, int]:
    """Style id -> level of heading, from the styles' outline levels and their common names."""
    levels = {f"Heading{n}": n for n in range(1, 7)} | {"Title": 1}
    for style in () if styles is None else styles.iter(f"{_W}style"):
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        value = "" if outline is None else outline.get(f"{_W}val", "")
        if value.isdecimal() and int(value) < 6:
            levels[style.get(f"{_W}styleId", "")] = int(value) + 1
    return levels


def _title(parts: _Parts) -> str:
    core = parts.tree("docProps/core.xml")
    title = None if core is None else core.find(_TITLE)
    return "" if title is None else " ".join((title.text or "").split())


def _first_heading(blocks: list[str]) -> str:
    return next((block.lstrip("# ") for block in blocks if block.startswith("#")), "")


def _links(parts: _Parts) -> tuple[Link, ...]:
    """Where it leads on the web."""
    tree = parts.tree("word/_rels/document.xml.rels")
    targets = () if tree is None else (node.get("Target", "") for node in tree)
    web = (url for url in targets if urlsplit(url).scheme in ("http", "https"))
    return tuple(Link(url, "") for url in dict.fromkeys(web))
