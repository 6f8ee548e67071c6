"""Bytes of a document -> its title and text, with every sentence as it stands there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from edge_agent.errors import FetchError
from edge_agent.tools.read.document import Extracted
from edge_agent.tools.read.docx import read_docx
from edge_agent.tools.read.html import read_html
from edge_agent.tools.read.media import DOCX_TYPE, HTML_TYPES, XML_TYPES, name_of_type
from edge_agent.tools.read.pdf import read_pdf
from edge_agent.tools.read.plain import read_csv, read_json, read_markdown, read_plain

_NO_TEXT = frozenset({"text/css", "text/javascript"})
READ = "HTML, PDF, Word (.docx), Markdown, JSON, CSV and plain text"


def extract(data: bytes, media_type: str, charset: str, url: str) -> Extracted:
    """Title, text and links of a document.

    Takes as long as the document is large, seconds at most but for a PDF of hundreds of pages:
    call it in a thread. Raises FetchError: unsupported for a type that is not read, too_large for
    an archive that unpacks to too much, empty for a document without words.
    """
    reader = _reader(media_type)
    if reader is None:
        message = f"{url} is {name_of_type(media_type)}, which is not read: only {READ} are."
        raise FetchError(message, url, "unsupported")
    extracted = reader.read(data, charset, url)
    if not (extracted.text.strip() or extracted.scripted or extracted.moved):
        raise FetchError(f"{url} has no text that can be read.", url, "empty")
    return extracted


def version_of(media_type: str) -> str:
    """The version of the reader of a type: what was read by another one is read again."""
    reader = _reader(media_type)
    return "" if reader is None else reader.version


def fingerprint(data: bytes, media_type: str) -> str:
    """A hash of a document that a change of its bytes, and one of its reader, makes another."""
    return hashlib.sha256(data).hexdigest() + version_of(media_type)


class Reader(NamedTuple):
    """Makes text of (bytes, charset, url). version: to be raised when it makes other text of the
    same bytes."""

    read: Callable[[bytes, str, str], Extracted]
    version: str


def _reader(media_type: str) -> Reader | None:
    known = READERS.get(media_type)
    if known is None and media_type.startswith("text/") and media_type not in _NO_TEXT:
        return _PLAIN
    return known


_PLAIN = Reader(read_plain, "2")
_MARKDOWN = Reader(read_markdown, "2")
_JSON = Reader(read_json, "2")
_CSV = Reader(read_csv, "2")
READERS: dict[str, Reader] = {
    **dict.fromkeys(HTML_TYPES | XML_TYPES, Reader(read_html, "2")),
    "application/pdf": Reader(read_pdf, "2"),
    DOCX_TYPE: Reader(read_docx, "2"),
    "text/markdown": _MARKDOWN,
    "text/x-markdown": _MARKDOWN,
    "application/json": _JSON,
    "application/ld+json": _JSON,
    "application/geo+json": _JSON,
    "application/x-ndjson": _PLAIN,
    "text/csv": _CSV,
    "text/tab-separated-values": _CSV,
}
