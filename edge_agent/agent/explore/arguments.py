"""What models write as the arguments of a call, as lists of texts."""

from __future__ import annotations

from typing import Any

from edge_agent.chat import lenient
from edge_agent.errors import ToolError
from edge_agent.tools.toolbox import MAX_AT_ONCE


def texts(value: Any, tool: str) -> list[str]:
    """Models write a string where a list is due, and now and then the schema as the value."""
    if isinstance(value, str) and value.lstrip().startswith('["'):
        value = _parsed(value)
    values = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(each, (dict, list, bool)) for each in values):
        raise ToolError(f"{tool}: give plain texts, such as a name or a phrase, not a schema.")
    return [str(each) for each in values if each is not None and str(each).strip()]


def at_once(items: list[str]) -> tuple[list[str], str]:
    """What is done now, and what is said of the rest."""
    left = items[MAX_AT_ONCE:]
    later = f"Only {MAX_AT_ONCE} at a time: ask again for {', '.join(left)}." if left else ""
    return items[:MAX_AT_ONCE], later


def _parsed(value: str) -> Any:
    try:
        return lenient.loads(value)
    except ValueError:
        return value
