"""What fits a schema fits here too, and what does not, does not: held against jsonschema."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tool_schemas import CASES, Case
from edge_agent.chat.fitting import misfit
from edge_agent.chat.messages import Text, ToolCall, ToolSpec
from edge_agent.chat.parser import StreamParser

ROOT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 9},
        "s": {"type": "string", "minLength": 2, "maxLength": 3, "pattern": "^[a-z]+$"},
        "e": {"enum": ["a", 1, None, True]},
        "c": {"const": 2},
        "l": {"type": "array", "items": {"$ref": "#/$defs/leaf"}, "minItems": 1, "maxItems": 2},
        "o": {"oneOf": [{"type": "number"}, {"$ref": "#/$defs/leaf"}]},
        "x": False,
        "all": {"allOf": [{"type": "number"}, {"maximum": 3}]},
    },
    "required": ["n"],
    "additionalProperties": {"type": "boolean"},
    "$defs": {"leaf": {"type": "object", "required": ["v"], "additionalProperties": False,
                       "properties": {"v": {"type": "boolean"}}}},
}  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats(0, 9) | st.text("abc1", max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("v"), inner, max_size=1)
    ),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from([*ROOT["properties"], "other"]), VALUES, max_size=3)


@given(OBJECTS, st.integers(1, 8) | st.none())
def test_it_agrees_with_jsonschema(value: dict[str, Any], n: int | None) -> None:
    for tried in (value, {"n": n, **value}):
        fits = jsonschema.Draft202012Validator(ROOT).is_valid(tried)
        assert (misfit(tried, ROOT) is None) is fits, misfit(tried, ROOT)


@pytest.mark.parametrize("case", CASES, ids=[case.hard for case in CASES])
def test_it_knows_right_arguments_from_wrong_ones(case: Case) -> None:
    assert misfit(case.sample, case.parameters) is None
    assert misfit(case.wrong, case.parameters)


def test_it_says_where_and_what() -> None:
    assert misfit({"n": 0}, ROOT) == "'n' is less than 1: 0."
    assert misfit({}, ROOT) == "the arguments lack 'n'."


def test_a_schema_that_refers_to_itself_ends() -> None:
    loop = {"$ref": "#"}
    assert misfit({}, loop) is None


def test_a_keyword_or_pattern_that_is_not_known_allows_everything() -> None:
    assert misfit({"a": "x"}, {"properties": {"a": {"pattern": "(?<n", "format": "date"}}}) is None


TOOLS = {"f": ToolSpec("f", "", {"properties": {"n": {"type": "integer", "maximum": 9}}})}


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "<tool_call>\n{}\n</tool_call>"])
@pytest.mark.parametrize(("n", "is_call"), [(9, True), (10, False)])
def test_strictly_read_a_call_that_does_not_fit_is_text(frame: str, n: int, is_call: bool) -> None:
    text = frame.replace("{}", f'{{"name": "f", "arguments": {{"n": {n}}}}}')
    for strict in (True, False):
        parser = StreamParser(TOOLS, lambda: "call_1", strict=strict)
        events = [*parser.feed(text), *parser.flush()]
        calls = [event for event in events if isinstance(event, ToolCall)]
        said = "".join(event.text for event in events if isinstance(event, Text))
        assert bool(calls) is (is_call or not strict)
        if strict and not is_call:
            assert f'"n": {n}' in said and "'n' is more than 9: 10." in str(parser.malformed)
