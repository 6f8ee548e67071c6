"""Words that carry meaning: of one spelling each, and pairs of characters where no space parts
them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

STOP_WORDS_TEXT = """
a an and are as at be been by did do does for from had has have how in is it its of on or that the
their there these this those to was were what when where which who whom whose why will with
"""
STOP_WORDS = frozenset(STOP_WORDS_TEXT.split())
# scripts that put no space between words: Thai, Lao, Myanmar, Khmer, kana, Han
UNSPACED = (
    "\u0e01-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
)
RUN = re.compile(f"[{UNSPACED}]")
ASCII_WORD = re.compile(r"\w+")
# vowel signs of Indic scripts are no letters for Python
WORD = re.compile(f"[{UNSPACED}]+|(?:[^\\W{UNSPACED}]|[\u0900-\u0963\u0966-\u0dff])+")
STEM_CACHE = 20_000


def words(text: str) -> list[str]:
    """Lower-case words that carry meaning, without accents and a plural's s.

    A run of a script without spaces gives every two neighbouring characters.
    """
    return [part for word in spellings(text) for part in stem(word)]


def spellings(text: str) -> list[str]:
    """Every word as it is written, in small letters without accents."""
    flat = plain(text)
    found: list[str] = (ASCII_WORD if flat.isascii() else WORD).findall(flat)
    return found


def plain(text: str) -> str:
    """Small letters without accents."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(mark for mark in apart if not unicodedata.combining(mark))


@lru_cache(STEM_CACHE)
def stem(word: str) -> tuple[str, ...]:
    """What one word counts as; nothing for a little word."""
    if word in STOP_WORDS:
        return ()
    if not word.isascii() and RUN.match(word):
        return tuple(_pairs(word))
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return (word[:-1],)
    return (word,)


def _pairs(word: str) -> list[str]:
    return [word] if len(word) < 3 else [word[i : i + 2] for i in range(len(word) - 1)]
