"""JSON as lines that can be read, ranked and quoted one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

UNDER = " > "


def readable(text: str) -> str:
    """The text; where all of it is a JSON object or list, a line for each of its values."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        value = json.loads(text)
        return "\n".join(_lines(value, "")) or text
    except (ValueError, RecursionError):
        return text


def _lines(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _lines(each, f"{path}{UNDER}{key}" if path else str(key))
    elif isinstance(value, list):
        yield from _items(value, path)
    else:
        yield f"{path}: {_word(value)}" if path else _word(value)


def _items(values: list[Any], path: str) -> Iterator[str]:
    """Small things on a line each, under the name of their list."""
    if not any(isinstance(each, (Mapping, list)) for each in values):
        words = ", ".join(map(_word, values))
        yield f"{path}: {words}" if path else words
        return
    for number, each in enumerate(values, 1):
        if isinstance(each, Mapping) and _is_flat(each):
            said = "; ".join(f"{key}: {_word(value)}" for key, value in each.items())
            yield f"{path} {number}: {said}".strip()
        else:
            yield from _lines(each, f"{path} {number}".strip())


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(each, (Mapping, list)) for each in value.values())


def _word(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    return json.dumps(value)
