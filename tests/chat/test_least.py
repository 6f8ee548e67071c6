from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_agent.chat.least import least, room_to_close
from edge_agent.chat.messages import ChatRequest, Message, NamedTool, ToolSpec

TEXT = {"type": "string"}
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": TEXT, "kids": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name", "kids"],
}


@pytest.mark.parametrize(
    "schema, value",
    [
        ({"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["b"]}, {"b": ""}),
        ({"enum": ["a", "long one", 3]}, "long one"),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [0, 0, 0]),
        ({"anyOf": [{"type": "null"}, {"type": "string", "minLength": 4}]}, "aaaa"),
        ({"type": ["integer", "string"], "minLength": 3}, "aaa"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"enum": ["y"]}}}, "y"),
        (TREE, {"name": "", "kids": []}),
    ],
)
def test_the_least_is_short_and_obeys(schema: dict[str, Any], value: Any) -> None:
    assert least(schema) == value
    assert not list(Draft202012Validator(schema).iter_errors(value))


def test_a_schema_without_an_end_has_a_least_nevertheless() -> None:
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert "a" in least(endless)
    assert len(least({"type": "string", "minLength": 10**9})) < 1000
    assert len(least({"type": "array", "items": TEXT, "minItems": 10**9})) < 1000


def test_only_a_turn_that_must_be_a_call_has_room_to_close() -> None:
    tools = (ToolSpec("short", "", {}), ToolSpec("tree", "", TREE))
    asked = (Message("user", "?"),)
    auto, must = ChatRequest(asked, tools), ChatRequest(asked, tools, tool_choice="required")
    named = ChatRequest(asked, tools, tool_choice=NamedTool("short"))
    assert room_to_close(auto, len, 1000) == 0
    assert room_to_close(named, len, 1000) < room_to_close(must, len, 1000) < 100
    assert room_to_close(must, len, 20) == 10
