from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.chat.remote.mending import mended

TURN = {
    "type": "object",
    "properties": {
        "facts": {"type": "array", "items": {"type": "integer", "maximum": 9}, "maxItems": 2},
        "thought": {"type": "string", "maxLength": 8},
        "answer": {"type": "string", "minLength": 1},
    },
    "required": ["facts", "thought", "answer"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"facts": [1], "thought": "Hm.", "answer": "x"}', [[1], "Hm.", "x"]),
        ('Sure:\n```json\n{"facts": [1], "thought": "a", "answer": "x"}\n```', [[1], "a", "x"]),
        ('{"facts": ["2", 77, 1, 3], "thought": "too long!", "answer": 5}',
         [[2, 1], "too long", "5"]),
        ('[1] is {not it} {"facts": 4, "answer": "x", "more": 1}', [[4], "", "x"]),
        ("{'facts': [], 'thought': '', 'answer': 'x',}", [[], "", "x"]),
        ('{"facts": [1], "thought": "a"}', None),
        ('{"facts": [1], "thought": "a", "answer": ""}', None),
        ("I do not know.", None),
        ("{" * 50_000, None),
    ],
)  # fmt: skip
def test_text_becomes_what_the_schema_asks_or_nothing(text: str, value: list[Any] | None) -> None:
    found = mended(text, TURN)
    assert (found and list(json.loads(found).values())) == value


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({}, 'x {"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ({}, "[1]", None),
        ({"type": "array", "items": {"enum": ["on", "off"]}}, '["ON", 3, "off"]', ["on", "off"]),
        ({"properties": {"a": {"type": ["integer", "null"]}}}, '{"a": null}', {"a": None}),
        ({"anyOf": [{"type": "string"}, {"properties": {"a": {"const": "x"}}}]}, '{"a": "X"}',
         {"a": "x"}),
        ({"properties": {"a": {"type": "boolean"}}}, '{"a": "True"}', {"a": True}),
        ({"properties": {"a": {"type": "number"}}}, '{"a": Infinity}', None),
    ],
)  # fmt: skip
def test_schemas_of_other_shapes(schema: dict[str, Any], text: str, value: Any) -> None:
    found = mended(text, schema)
    assert (found and json.loads(found)) == value
