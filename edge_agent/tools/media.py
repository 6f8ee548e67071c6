"""What a run of bytes is: its media type and its character encoding."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_UNSURE = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain"})
_BY_SUFFIX = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".rst": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
}
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x7fELF", "application/x-executable"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HTML_START = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S)
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)""", re.I)
_UNKNOWN = "application/octet-stream"
_HEAD_BYTES = 4096  # where signatures and <meta charset> are looked for


def suffix_type(path: str) -> str:
    """The media type that a file's name promises, or "" for one that is not read."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "")


def media_type_of(data: bytes, declared: str) -> str:
    """The media type of a body: the declared one unless the bytes say better.

    A declaration of text, or none, is overruled by a signature (PDF, images, archives) and by NUL
    bytes, which no text has; one that says nothing (missing, octet-stream, plain) also by what the
    text begins with.
    """
    head = data[:_HEAD_BYTES]
    vague = declared in _UNSURE or _textual(declared)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature) and (vague or kind == "application/pdf"):
            return kind
    if b"\0" in head and vague and not head.startswith(tuple(bom for bom, _ in _BOMS)):
        return _UNKNOWN
    if declared in _UNSURE:
        return "text/html" if _HTML_START.match(head) else "text/plain"
    return declared


def _textual(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in HTML_TYPES | {"application/json"}


def charset_of(data: bytes, declared: str, media_type: str) -> str:
    """The codec to decode `data` with; the caller replaces what still does not fit.

    In order: a byte order mark; UTF-8 when the bytes are valid UTF-8 with something beyond ASCII
    in it, whatever was declared (no other encoding looks like that by chance); the declared
    charset; the one in HTML's <meta>; UTF-8 or, when it is not, Windows-1252.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    utf8 = _is_utf8(data)
    if utf8 and not data.isascii():
        return "utf-8"
    candidates = [declared]
    if media_type in HTML_TYPES and (meta := _META_CHARSET.search(data[:_HEAD_BYTES])):
        candidates.append(meta.group(1).decode("ascii", "replace"))
    for candidate in candidates:
        name = _codec(candidate)
        if name and not (name == "utf-8" and not utf8):
            return name
    return "utf-8" if utf8 else "cp1252"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _codec(name: str) -> str:
    """Python's name of a text encoding, or "". The web means Windows-1252 when it says Latin-1."""
    try:
        found = codecs.lookup(name.strip().strip("\"'"))
        "".encode(found.name)  # hex, zlib and the like are codecs but no text encodings
    except (LookupError, ValueError, TypeError):
        return ""
    return "cp1252" if found.name in ("iso8859-1", "ascii") else found.name
