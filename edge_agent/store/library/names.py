"""Titles as names: how a title is compared with what a text calls it."""

from __future__ import annotations

import re
import unicodedata

_BRACKET = re.compile(r"\s*\([^()]*\)\s*$")  # Mercury (planet): what tells it from its namesakes
_SITE = re.compile(r"\s+[|–—·•-]\s+[^|–—·•]+$")  # Ferry times | Municipality of Stennowe
MAX_NAME_WORDS = 10


def name_of(title: str) -> str:
    """The title in lower case without accents, signs, a site's name and a bracket at its end; ""
    when it is too long for a name."""
    own = _SITE.sub("", title)
    plain = unicodedata.normalize("NFKD", _BRACKET.sub("", own) or own)
    kept = (char if unicodedata.category(char)[0] in "LN" else _gap(char) for char in plain)
    words = "".join(kept).casefold().split()
    return " ".join(words) if len(words) <= MAX_NAME_WORDS else ""


def _gap(char: str) -> str:
    return "" if unicodedata.category(char)[0] == "M" or char in "'’." else " "
