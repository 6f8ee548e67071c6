"""Which characters a run of bytes means."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from edge_agent.tools.read.media import HTML_TYPES, XML_TYPES

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)""", re.I)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w-]+)""", re.I)
_HEAD_BYTES = 4096  # where a document says what it is written in
_SAMPLE_BYTES = 24_000  # enough to know an alphabet by
_SURE = 0.07  # more of a known language than the next guess has
_TAGS = re.compile(rb"<[^>]{0,2000}>")
_LANG = re.compile(rb"""<html[^>]{0,300}?\blang\s*=\s*["']?([a-z]{2,3})""", re.I)
_FALLBACK = "cp1252"
# Latin letters look alike in these; where the page does not say its language, the West's is meant,
# as browsers have it
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "cp1258")
_LATIN_OF = {
    **dict.fromkeys((b"pl", b"cs", b"sk", b"hu", b"sl", b"hr", b"bs", b"ro", b"sq"), "cp1250"),
    **dict.fromkeys((b"tr", b"az"), "cp1254"),
    **dict.fromkeys((b"et", b"lv", b"lt"), "cp1257"),
    b"vi": "cp1258",
}
# What is looked for, the first of two that fit alike: encodings that pages without a declaration
# are really written in. A wider list finds Cyrillic for Macintosh in every second Western page.
_CANDIDATES = ["cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256"]
_CANDIDATES += ["shift_jis", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr", "cp874"]


def charset_of(data: bytes, declared: str, media_type: str) -> str:
    """The codec to decode `data` with; the caller replaces what still does not fit.

    In order: a byte order mark; UTF-8 when the bytes are valid UTF-8 with something beyond ASCII
    in it, whatever was declared (no other encoding looks like that by chance); the declared
    charset; the one in HTML's <meta> or XML's first line; what the bytes look like.
    """
    for bom, name in BOMS:
        if data.startswith(bom):
            return name
    utf8 = _is_utf8(data)
    if utf8 and not data.isascii():
        return "utf-8"
    for candidate in (declared, *_written(data[:_HEAD_BYTES], media_type)):
        name = _codec(candidate)
        if name and not (name == "utf-8" and not utf8) and not _is_wide(name):
            return name
    return "utf-8" if utf8 else _detected(data)


def _written(head: bytes, media_type: str) -> list[str]:
    """What the document says of itself."""
    patterns = [_META] if media_type in HTML_TYPES else []
    patterns += [_XML] if media_type in HTML_TYPES | XML_TYPES else []
    found = (pattern.search(head) for pattern in patterns)
    return [match.group(1).decode("ascii", "replace") for match in found if match]


def _detected(data: bytes) -> str:
    """A guess at the alphabet, made on text between tags."""
    beyond = next(i for i, byte in enumerate(data) if byte > 127)
    sample = _TAGS.sub(b" ", data[max(0, beyond - 2_000) : beyond + _SAMPLE_BYTES])
    found = from_bytes(sample, cp_isolation=_CANDIDATES, enable_fallback=False)
    best = found.best()
    if best is None:
        return _FALLBACK
    if best.encoding not in _LATIN:
        return best.encoding
    said = _LANG.search(data[:_HEAD_BYTES])
    if said and (own := _LATIN_OF.get(said[1].lower())):
        return own
    alike = [one for one in found if _FALLBACK in (one.encoding, *one.could_be_from_charset)]
    western = any(one.coherence >= best.coherence - _SURE for one in alike)
    return _FALLBACK if western else best.encoding


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_wide(name: str) -> bool:
    """UTF-16 and UTF-32 begin with a mark, or nobody can tell them from what they are not."""
    return name in ("utf-16", "utf-32")


def _codec(name: str) -> str:
    """Python's name of a text encoding, or "". The web means Windows-1252 when it says Latin-1."""
    try:
        found = codecs.lookup(name.strip().strip("\"'"))
        "".encode(found.name)  # hex, zlib and the like are codecs but no text encodings
    except (LookupError, ValueError, TypeError):
        return ""
    return _FALLBACK if found.name in ("iso8859-1", "ascii") else found.name
