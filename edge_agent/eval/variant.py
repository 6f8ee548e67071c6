"""A profile with some of its fields changed: one variant of an ablation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from edge_agent.agent.explore.profile import Profile
from edge_agent.errors import RequestError

T = TypeVar("T")


def varied(profile: Profile, changes: Sequence[str]) -> Profile:
    """The profile after `FIELD=VALUE` changes, in order.

    A dot names a field inside a field; the value is JSON, or else a text. Raises RequestError.
    """
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals:
            raise RequestError(f"--set takes FIELD=VALUE, not {change!r}.", "set")
        profile = _changed(profile, path.strip().split("."), _value(value.strip()), change)
    return profile


def _changed(record: T, path: Sequence[str], value: Any, change: str) -> T:
    known = [field.name for field in fields(record)] if is_dataclass(record) else []
    if path[0] not in known:
        message = f"--set {change}: there is no field {path[0]!r}; there is: {', '.join(known)}."
        raise RequestError(message, "set")
    old = getattr(record, path[0])
    new = _changed(old, path[1:], value, change) if len(path) > 1 else _fitting(old, value, change)
    return replace(record, **{path[0]: new})  # type: ignore[type-var]


def _fitting(old: Any, value: Any, change: str) -> Any:
    """The value, when it is of the kind that the field has."""
    if is_dataclass(old):
        message = f"--set {change}: this field has fields; name one of them after a dot."
        raise RequestError(message, "set")
    number = isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool)
    if old is None or value is None or number or type(value) is type(old):
        return value
    kind = type(old).__name__
    raise RequestError(f"--set {change}: this field holds {kind}, such as {old!r}.", "set")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
