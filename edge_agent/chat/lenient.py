"""JSON as small models write it: a parser that forgives what they get wrong."""

from __future__ import annotations

import json
import re
from typing import Any

_MAX_CHARS = 200_000
_MAX_DEPTH = 40
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")
_BARE = re.compile(r"[^\s,:{}\[\]\"']+")
_AFTER_STRING = re.compile(r"\s*(?:[,:}\]]|$)")
_WORDS: dict[str, Any] = {
    "true": True, "false": False, "null": None,
    "True": True, "False": False, "None": None, "undefined": None,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def loads(text: str, complete: bool = False) -> Any:
    """The value in `text`: strict JSON when it is that, else the most likely reading of it.

    Forgives doubled braces, trailing and missing commas, single quotes, unquoted keys, Python's
    constants, raw newlines and unescaped quotes in strings, and ends that are missing (unless
    `complete`). Raises ValueError, whose message says what is wrong.
    """
    if len(text) > _MAX_CHARS:
        raise ValueError(f"more than {_MAX_CHARS} characters")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _Reader(text, complete).read()


class _Reader:
    """One pass over a text; `_at` only ever grows, so it ends."""

    def __init__(self, text: str, complete: bool) -> None:
        self._text = text
        self._at = 0
        self._complete = complete

    def read(self) -> Any:
        value = self._value(0)
        rest = self._peek()
        if rest and rest not in "}]":
            raise ValueError(f"something follows the value at character {self._at}")
        return value

    def _peek(self) -> str:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found

    def _ended(self) -> bool:
        """Whether the text is over; then everything still open counts as closed."""
        if self._peek():
            return False
        if self._complete:
            raise ValueError("the end is missing")
        return True

    def _value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        first = self._peek()
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        return self._string() if first and first in "\"'" else self._word()

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        doubled = self._take("{")
        found: dict[str, Any] = {}
        while not self._ended() and not self._take("}"):
            key = str(self._string() if self._peek() in ("'", '"') else self._word())
            if not self._take(":"):
                raise ValueError(f"no colon after {key!r}")
            found[key] = None if self._ended() else self._value(depth + 1)
            self._take(",")
        if doubled:
            self._take("}")
        return found

    def _array(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        while not self._ended() and not self._take("]"):
            found.append(self._value(depth + 1))
            self._take(",")
        return found

    def _word(self) -> Any:
        bare = _BARE.match(self._text, self._at)
        if bare is None:
            raise ValueError(f"nothing readable at character {self._at}")
        self._at = bare.end()
        try:
            return _WORDS[bare[0]] if bare[0] in _WORDS else json.loads(bare[0])
        except ValueError:
            return bare[0]

    def _string(self) -> str:
        quote = self._text[self._at]
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "\\":
                parts.append(self._escape())
            elif character == quote and _AFTER_STRING.match(self._text, self._at):
                return "".join(parts)
            else:
                parts.append(character)
        if self._complete:
            raise ValueError("a string does not end")
        return "".join(parts)

    def _escape(self) -> str:
        kind = self._text[self._at : self._at + 1]
        self._at += 1
        code = self._text[self._at : self._at + 4]
        if kind == "u" and re.fullmatch("[0-9a-fA-F]{4}", code):
            self._at += 4
            return chr(int(code, 16))
        return _ESCAPES.get(kind, kind)
