"""JSON that a schema asked for, out of the text of a model that was not held to it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.chat import lenient

_STARTS = re.compile(r"[{\[]")
_MOST_STARTS = 20  # places a value is looked for at
_EMPTY: Mapping[str, Any] = {"array": [], "string": ""}


class _MisfitError(ValueError):
    """A value that cannot be made to fit its schema."""


def mended(text: str, schema: Mapping[str, Any]) -> str | None:
    """The first JSON value in a text that fits the schema, small faults put right; else None.

    Understood: type, properties, required, additionalProperties false, items, enum, const, anyOf,
    oneOf and the bounds of numbers, strings and arrays; what else a schema says is not checked.
    """
    for start in [match.start() for match in _STARTS.finditer(text)][:_MOST_STARTS]:
        try:
            return json.dumps(_fit(_value_at(text, start), schema or _OBJECT), ensure_ascii=False)
        except ValueError:
            continue
    return None


_OBJECT: Mapping[str, Any] = {"type": "object"}


def _value_at(text: str, start: int) -> Any:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[0]
    except ValueError:
        return lenient.loads(text[start:].rstrip().removesuffix("```"))


def _fit(value: Any, schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return value
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _first(value, choices)
    if "const" in schema or "enum" in schema:
        return _chosen(value, schema.get("enum", [schema.get("const")]))
    wanted = schema.get("type") or ("object" if "properties" in schema else "")
    if isinstance(wanted, list):
        return _first(value, [{**schema, "type": one} for one in wanted])
    return _FITS[wanted](value, schema) if wanted in _FITS else value


def _first(value: Any, choices: Any) -> Any:
    for choice in choices:
        try:
            return _fit(value, choice)
        except ValueError:
            continue
    raise _MisfitError


def _chosen(value: Any, allowed: Any) -> Any:
    same = [a for a in allowed if a == value and isinstance(a, bool) == isinstance(value, bool)]
    alike = [a for a in allowed if str(a).casefold() == str(value).casefold().strip()]
    return _one([*same, *alike])


def _one(found: list[Any]) -> Any:
    if not found:
        raise _MisfitError
    return found[0]


def _object(value: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _MisfitError
    known: Mapping[str, Any] = schema.get("properties", {})
    more = schema.get("additionalProperties")
    required = schema.get("required", ())
    fitted = {
        name: _fit(value[name], known[name]) if name in value else _empty(known[name])
        for name in known
        if name in value or name in required
    }
    if any(name not in known and name not in value for name in required):
        raise _MisfitError
    rest = {k: _fit(v, more) for k, v in value.items() if k not in known and more is not False}
    return {**fitted, **rest}


def _empty(schema: Any) -> Any:
    """What may stand for a required value that was left out."""
    kind = str(schema.get("type")) if isinstance(schema, Mapping) else ""
    if kind not in _EMPTY:
        raise _MisfitError
    return _fit(_EMPTY[kind], schema)


def _array(value: Any, schema: Mapping[str, Any]) -> list[Any]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        try:
            found.append(_fit(item, schema.get("items")))
        except ValueError:
            continue
    found = found[: schema.get("maxItems", len(found))]
    if len(found) < schema.get("minItems", 0):
        raise _MisfitError
    return found


def _string(value: Any, schema: Mapping[str, Any]) -> str:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise _MisfitError
    text = str(value)[: schema.get("maxLength")]
    if len(text) < schema.get("minLength", 0):
        raise _MisfitError
    return text


def _number(value: Any, schema: Mapping[str, Any]) -> Any:
    number = json.loads(value) if isinstance(value, str) else value  # "3" is meant as 3
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        raise _MisfitError
    if not math.isfinite(number):
        raise _MisfitError
    if schema["type"] == "integer":
        if number != int(number):
            raise _MisfitError
        number = int(number)
    if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
        raise _MisfitError
    return number


def _boolean(value: Any, schema: Mapping[str, Any]) -> bool:
    return bool(_chosen(value, [True, False]))


def _null(value: Any, schema: Mapping[str, Any]) -> None:
    if value is not None:
        raise _MisfitError


_FITS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
