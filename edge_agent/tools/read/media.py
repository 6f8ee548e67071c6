"""What a run of bytes is: its media type."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
XML_TYPES = frozenset(
    {"application/xml", "text/xml", "application/rss+xml", "application/atom+xml"}
)
DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_UNSURE = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain"})
_OFFICE = "application/vnd.openxmlformats-officedocument"
_BY_SUFFIX = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".rst": "text/plain",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".docx": DOCX_TYPE,
}
_BY_TEXT_SUFFIX = frozenset({".md", ".markdown", ".csv", ".tsv", ".json"})
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ\x90\x00", "application/x-executable"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "application/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_HTML_START = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S)
_UNKNOWN = "application/octet-stream"
_HEAD_BYTES = 4096  # where signatures are looked for
_PDF_HEAD_BYTES = 1024  # a PDF may begin with a line that is none of it
# members of a ZIP archive that say what it is
_ARCHIVES = (
    (b"word/document.xml", DOCX_TYPE),
    (b"xl/workbook.xml", f"{_OFFICE}.spreadsheetml.sheet"),
    (b"ppt/presentation.xml", f"{_OFFICE}.presentationml.presentation"),
    (b"application/epub+zip", "application/epub+zip"),
    (b"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
)
_NAMES = {
    "application/zip": "a ZIP archive",
    "application/gzip": "a gzip archive",
    "application/x-7z-compressed": "a 7z archive",
    "application/x-executable": "a program",
    "application/x-ole-storage": "an old Office document (.doc, .xls or .ppt)",
    "application/msword": "an old Word document (.doc)",
    "application/vnd.ms-excel": "an old Excel workbook (.xls)",
    "application/vnd.ms-powerpoint": "an old PowerPoint presentation (.ppt)",
    f"{_OFFICE}.spreadsheetml.sheet": "an Excel workbook",
    f"{_OFFICE}.presentationml.presentation": "a PowerPoint presentation",
    "application/vnd.oasis.opendocument.text": "an OpenDocument text",
    "application/epub+zip": "an EPUB book",
    "application/javascript": "a script",
    "text/javascript": "a script",
    "text/css": "a style sheet",
    _UNKNOWN: "binary data",
}
_FAMILIES = {"image": "a picture", "audio": "a sound", "video": "a film", "font": "a font"}


def suffix_type(path: str) -> str:
    """The media type that a file's name promises, or "" for one that is not read."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "")


def name_of_type(media_type: str) -> str:
    """What a person calls it: `a picture (image/png)`."""
    name = _NAMES.get(media_type) or _FAMILIES.get(media_type.partition("/")[0])
    return f"{name} ({media_type})" if name else media_type


def media_type_of(data: bytes, declared: str, url: str = "") -> str:
    """The media type of a body: the declared one unless the bytes say better.

    A declaration of text, or none, is overruled by a signature (PDF, images, archives) and by NUL
    bytes, which no text has; one that says nothing (missing, octet-stream, plain) also by what the
    text begins with, and then by the name in the URL. Of a ZIP archive its members say what it is.
    """
    head = data[:_HEAD_BYTES]
    vague = declared in _UNSURE or _textual(declared)
    for signature, kind in _SIGNATURES:
        sure = kind in ("application/pdf", "application/zip")
        if head.startswith(signature) and (vague or sure):
            return _archive(data, declared) if kind == "application/zip" else kind
    if vague and b"%PDF-" in head[:_PDF_HEAD_BYTES] and not _HTML_START.match(head):
        return "application/pdf"
    if b"\0" in head and vague and not head.startswith(_WIDE):
        return _UNKNOWN
    if declared in _UNSURE:
        return _by_looks(head, url)
    return declared


def _by_looks(head: bytes, url: str) -> str:
    if _HTML_START.match(head):
        return "text/html"
    suffix = PurePosixPath(unquote(urlsplit(url).path)).suffix.lower()
    return _BY_SUFFIX[suffix] if suffix in _BY_TEXT_SUFFIX else "text/plain"


def _archive(data: bytes, declared: str) -> str:
    """Names stand uncompressed in an archive: in its directory at the end, at the latest."""
    for name, kind in _ARCHIVES:
        if name in data[:_HEAD_BYTES] or name in data[-65_536:]:
            return kind
    return declared if declared in _NAMES and not _textual(declared) else "application/zip"


def _textual(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in HTML_TYPES | {"application/json"}
