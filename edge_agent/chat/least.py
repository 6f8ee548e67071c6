"""The least that a JSON Schema asks for, to know how much room it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.chat.constraints import callable_tools, must_call
from edge_agent.chat.messages import ChatRequest

_DEEPEST = 12  # a schema may contain itself
_MOST = 64  # characters or items; where a schema asks for more there is hardly room for them
_UNIONS = ("anyOf", "oneOf")
_MARKS = 16  # tokens around the arguments of a call


def room_to_close(request: ChatRequest, count: Callable[[str], int], limit: int) -> int:
    """Tokens before the limit at which a call must come to its end, if the turn has to be a call.

    Enough for the largest of the least calls that the tools allow, a quarter more because the model
    may spell it in shorter tokens; at most half of the limit.
    """
    if not must_call(request):
        return 0
    texts = (json.dumps(least(tool.parameters)) for tool in callable_tools(request))
    return min(limit // 2, max(map(count, texts)) * 5 // 4 + _MARKS)


def least(schema: Mapping[str, Any]) -> Any:
    """A JSON value about as long as the shortest one that obeys `schema`, or longer.

    What the schema leaves open is as short as can be; of several kinds the longest is taken.
    """
    return _least(schema, schema, 0)


def _least(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return ""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _longest(schema["enum"])
    if "$ref" in schema:
        return _least(_referred(str(schema["$ref"]), root), root, depth + 1)
    union = next((schema[key] for key in _UNIONS if key in schema), None)
    if union is not None:
        return _longest([_least(one, root, depth + 1) for one in union])
    return _of_kind(schema, root, depth)


def _of_kind(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        return _longest([_of_kind({**schema, "type": one}, root, depth) for one in kind])
    if kind == "object" or "properties" in schema:
        known = schema.get("properties", {})
        names = schema.get("required", ())
        return {name: _least(known.get(name, {}), root, depth + 1) for name in names}
    if kind == "array":
        n = min(schema.get("minItems", 0), _MOST)
        return [_least(schema.get("items", {}), root, depth + 1)] * n
    return "a" * min(schema.get("minLength", 0), _MOST) if kind == "string" else 0


def _longest(values: Any) -> Any:
    return max(values, key=lambda value: len(json.dumps(value)), default="")


def _referred(path: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for name in path.lstrip("#/").split("/"):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found
