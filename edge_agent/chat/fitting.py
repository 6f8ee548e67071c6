"""Whether a value is one that a JSON Schema allows: for calls that no grammar held to it.

The keywords that tools use; one that is not among them allows everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
MOST_REFERENCES = 64  # one inside the other
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and value == value // 1,
}
BOUNDS: tuple[tuple[str, Callable[[Any], bool], Callable[[Any, Any], bool], str], ...] = (
    ("minimum", lambda v: _is_number(v), lambda v, bound: v >= bound, "is less than"),
    ("maximum", lambda v: _is_number(v), lambda v, bound: v <= bound, "is more than"),
    ("exclusiveMinimum", lambda v: _is_number(v), lambda v, bound: v > bound, "is not over"),
    ("exclusiveMaximum", lambda v: _is_number(v), lambda v, bound: v < bound, "is not under"),
    ("minLength", TYPES["string"], lambda v, bound: len(v) >= bound, "is shorter than"),
    ("maxLength", TYPES["string"], lambda v, bound: len(v) <= bound, "is longer than"),
    ("minItems", TYPES["array"], lambda v, bound: len(v) >= bound, "has fewer items than"),
    ("maxItems", TYPES["array"], lambda v, bound: len(v) <= bound, "has more items than"),
    ("pattern", TYPES["string"], lambda v, bound: _matches(v, bound), "does not match"),
)


def misfit(value: Any, schema: Schema) -> str | None:
    """What keeps `value` from being one that `schema` allows, as a sentence; None when it is."""
    return next(_Fitting(schema).faults(value, schema, "the arguments"), None)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """root: where references begin."""

    root: Schema

    def faults(self, value: Any, schema: Any, where: str, depth: int = 0) -> Iterator[str]:
        if schema is False:
            yield f"{where} must not be there."
        if not isinstance(schema, Mapping):
            return
        if isinstance(ref := schema.get("$ref"), str) and depth < MOST_REFERENCES:
            yield from self.faults(value, self._referred(ref), where, depth + 1)
        yield from _kind(value, schema, where)
        yield from _bounds(value, schema, where)
        yield from self._either(value, schema, where, depth)
        if isinstance(value, dict):
            yield from self._members(value, schema, where, depth)
        if isinstance(value, list):
            for place, item in enumerate(value):
                yield from self.faults(item, schema.get("items"), f"{where}[{place}]", depth)

    def _either(self, value: Any, schema: Schema, where: str, depth: int) -> Iterator[str]:
        for each in schema.get("allOf", ()):
            yield from self.faults(value, each, where, depth + 1)
        for key in ("anyOf", "oneOf"):
            ways = schema.get(key)
            if ways and all(self._is_wrong(value, each, where, depth) for each in ways):
                yield f"{where} fits none of its forms: {_shown(value)}."

    def _is_wrong(self, value: Any, schema: Any, where: str, depth: int) -> bool:
        return next(self.faults(value, schema, where, depth + 1), None) is not None

    def _members(
        self, value: dict[str, Any], schema: Schema, where: str, depth: int
    ) -> Iterator[str]:
        properties = schema.get("properties") or {}
        yield from (f"{where} lack {k!r}." for k in schema.get("required", ()) if k not in value)
        named = (*properties, *schema.get("patternProperties", ()))
        for key, member in value.items():
            if key in properties:
                yield from self.faults(member, properties[key], f"{key!r}", depth)
            elif not any(_matches(key, each) for each in named[len(properties) :]):
                other = schema.get("additionalProperties", True)
                yield from self.faults(member, other, f"{key!r}", depth)

    def _referred(self, ref: str) -> Any:
        found: Any = self.root
        for part in ref.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if key and isinstance(found, Mapping) else found
        return found


def _kind(value: Any, schema: Schema, where: str) -> Iterator[str]:
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else wanted or []
    if kinds and not any(TYPES[kind](value) for kind in kinds if kind in TYPES):
        yield f"{where} must be {' or '.join(kinds)}: {_shown(value)}."
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None and not any(_same(value, each) for each in values):
        yield f"{where} must be one of {_shown(values)}: {_shown(value)}."


def _bounds(value: Any, schema: Schema, where: str) -> Iterator[str]:
    for key, concerns, holds, wrong in BOUNDS:
        if key in schema and concerns(value) and not holds(value, schema[key]):
            yield f"{where} {wrong} {schema[key]}: {_shown(value)}."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _matches(text: str, pattern: str) -> bool:
    """Whether a pattern is found; one that Python cannot read is."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:200]
