"""Text as those read it who want to understand it anyhow: disguises taken off."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator

MAX_CHARS = 2_000  # of a sentence that is looked at
# letters of other alphabets that look like Latin ones
_ALIKE = str.maketrans("аеорсухіјѕһԁԛԝӏαεοικνρτυχβη", "aeopcyxijshdqwlaeoiknptuxbn")
_LEET = str.maketrans("01345789@$!", "oieastbgasi")
_LEET_WORD = re.compile(r"\b(?=\w*[a-z])(?=\w*\d)\w+\b")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_BASE32 = re.compile(r"\b[A-Z2-7]{32,}={0,6}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[ :]?){16,}")
_BINARY = re.compile(r"\b(?:[01]{8}[ ,]?){8,}")
_SPACED = re.compile(r"(?:\b\w[ .\-_*]{1,3}){8,}\w\b")
_GAP = re.compile(r"[ .\-_*]")


def folded(text: str) -> str:
    """Lower case, no accents, no invisible characters."""
    plain = unicodedata.normalize("NFKD", _visible(text[:MAX_CHARS])).casefold()
    return "".join(char for char in plain if not unicodedata.combining(char))


def _visible(text: str) -> str:
    """Without characters that nobody sees; the invisible alphabet of tags as what it spells."""
    shown = []
    for char in text:
        code = ord(char)
        if 0xE0020 <= code <= 0xE007E:
            shown.append(chr(code - 0xE0000))
        elif unicodedata.category(char) != "Cf":
            shown.append(char)
    return "".join(shown)


def readings(text: str) -> Iterator[str]:
    """The text folded, and what else it may be meant to be read as."""
    text = text[:MAX_CHARS]
    plain = folded(text)
    yield plain
    if (alike := plain.translate(_ALIKE)) != plain:
        yield alike
    if _LEET_WORD.search(plain):
        yield plain.translate(_LEET)
    if spaced := _SPACED.findall(plain):
        yield _respaced(plain, spaced)
    yield from map(folded, _decoded(text))
    if len(plain) > 20 and any(word in plain for word in _ROT13):
        yield codecs.decode(plain, "rot13")
    if len(plain) > 20 and any(word in plain for word in _REVERSED):
        yield plain[::-1]


# words without which an order to a model is hardly given, in these two disguises
_KEYS = ("ignore", "instruction", "prompt", "disregard", "override", "forget", "reveal", "system")
_ROT13 = tuple(codecs.encode(word, "rot13") for word in _KEYS)
_REVERSED = tuple(word[::-1] for word in _KEYS)


def _respaced(plain: str, spaced: list[str]) -> str:
    """`i g n o r e   a l l` as words: the wide gaps stand between them."""
    for run in spaced:
        words = re.split(r"[ .\-_*]{2,}", run)
        plain = plain.replace(run, " ".join(_GAP.sub("", word) for word in words))
    return plain


def _decoded(text: str) -> Iterator[str]:
    """The texts that are written in it in base64, base32, hexadecimal or binary."""
    for found in _BINARY.findall(text):
        bits = re.findall(r"[01]{8}", found)
        yield from _printable(bytes(int(byte, 2) for byte in bits))
    for found in _HEX.findall(text):
        digits = re.sub(r"[^0-9a-fA-F]", "", found)
        yield from _printable(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for found in _BASE32.findall(text):
        yield from _unpacked(base64.b32decode, found.rstrip("="), 8)
    for found in _BASE64.findall(text):
        yield from _unpacked(base64.urlsafe_b64decode, found.translate(_URLSAFE).rstrip("="), 4)


_URLSAFE = str.maketrans("+/", "-_")


def _unpacked(decode: Callable[[str], bytes], found: str, group: int) -> Iterator[str]:
    try:
        yield from _printable(decode(found + "=" * (-len(found) % group)))
    except (binascii.Error, ValueError):
        return


def _printable(data: bytes) -> Iterator[str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if sum(char.isalpha() or char.isspace() for char in text) > 0.7 * len(text):
        yield text
