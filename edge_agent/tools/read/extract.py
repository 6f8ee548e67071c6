"""Bytes of a document -> its title and text, with every sentence as it stands there."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.errors import FetchError
from edge_agent.tools.read.document import Extracted
from edge_agent.tools.read.docx import read_docx
from edge_agent.tools.read.html import read_html
from edge_agent.tools.read.media import DOCX_TYPE, HTML_TYPES, XML_TYPES, name_of_type
from edge_agent.tools.read.pdf import read_pdf
from edge_agent.tools.read.plain import read_csv, read_json, read_markdown, read_plain

_NO_TEXT = frozenset({"text/css", "text/javascript"})
READER_VERSION = "2"  # what was read with another one is read again
READ = "HTML, PDF, Word (.docx), Markdown, JSON, CSV and plain text"


def extract(data: bytes, media_type: str, charset: str, url: str) -> Extracted:
    """Title, text and links of a document.

    Takes as long as the document is large, seconds at most but for a PDF of hundreds of pages:
    call it in a thread. Raises FetchError: unsupported for a type that is not read, too_large for
    an archive that unpacks to too much, empty for a document without words.
    """
    reader = READERS.get(media_type)
    if reader is None and media_type.startswith("text/") and media_type not in _NO_TEXT:
        reader = read_plain
    if reader is None:
        message = f"{url} is {name_of_type(media_type)}, which is not read: only {READ} are."
        raise FetchError(message, url, "unsupported")
    extracted = reader(data, charset, url)
    if not (extracted.text.strip() or extracted.scripted or extracted.moved):
        raise FetchError(f"{url} has no text that can be read.", url, "empty")
    return extracted


READERS: dict[str, Callable[[bytes, str, str], Extracted]] = {
    **dict.fromkeys(HTML_TYPES | XML_TYPES, read_html),
    "application/pdf": read_pdf,
    DOCX_TYPE: read_docx,
    "text/markdown": read_markdown,
    "text/x-markdown": read_markdown,
    "application/json": read_json,
    "application/ld+json": read_json,
    "application/geo+json": read_json,
    "application/x-ndjson": read_plain,
    "text/csv": read_csv,
    "text/tab-separated-values": read_csv,
}
