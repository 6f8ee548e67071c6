from __future__ import annotations

import json
from functools import reduce
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_agent.chat.calls import read_calls
from edge_agent.chat.constraints import Turn
from edge_agent.chat.messages import (
    ChatRequest,
    NamedTool,
    ToolSpec,
)
from edge_agent.errors import GrammarError, RequestError

from .fakes import FETCH, TOOLS
from .follows import (
    ASKED,
    FETCH_U,
    FREE,
    MUST,
    ONE,
    TWO,
    follows,
    grammar,
)


def test_free_text_has_no_grammar() -> None:
    assert grammar(ChatRequest(ASKED)) is None
    assert grammar(ChatRequest(ASKED, TOOLS, "none")) is None


def test_auto_is_free_until_a_call_begins() -> None:
    told = grammar(FREE)
    assert follows(told, "It is ```json {} whatever") == "complete"
    assert follows(told, "I look. " + ONE) == "complete"
    assert follows(told, TWO) == "complete"
    assert follows(told, "I look. <tool_call>") == "unfinished"
    assert follows(told, '<tool_call>\n{"name": "zoom') == '<tool_call>\n{"name": "'
    assert follows(told, ONE + " and") == ONE


def test_required_is_a_call_from_the_first_token() -> None:
    told = grammar(MUST)
    assert follows(told, ONE) == follows(told, TWO) == "complete"
    assert follows(told, "Well") == ""


def test_a_named_tool_is_the_only_one_and_called_once() -> None:
    told = grammar(ChatRequest(ASKED, TOOLS, NamedTool("fetch_url")))
    assert follows(told, f"<tool_call>\n{FETCH_U}\n</tool_call>") == "complete"
    assert follows(told, ONE) == '<tool_call>\n{"name": "'
    again = f"<tool_call>\n{FETCH_U}\n</tool_call>\n"
    assert follows(told, again) == again.rstrip("\n")


def test_one_call_where_parallel_calls_are_off_and_never_more_than_eight() -> None:
    assert follows(grammar(ChatRequest(ASKED, TOOLS, "required", False)), TWO) == ONE
    assert follows(grammar(MUST), "\n".join([ONE] * 8)) == "complete"
    assert follows(grammar(MUST), "\n".join([ONE] * 9)) == "\n".join([ONE] * 8) + "\n"


@pytest.mark.parametrize("asked", [FREE, MUST])
def test_a_line_end_behind_a_call_forces_no_other_one(asked: ChatRequest) -> None:
    told = grammar(asked)
    assert follows(told, ONE + "\n") == follows(told, TWO + "\n") == "complete"
    assert follows(told, ONE + "\n\n") == ONE + "\n"


def test_blanks_cannot_run_away_in_json() -> None:
    said = '<tool_call>\n{"name": "fetch_url", "arguments": {'
    assert follows(grammar(MUST), said + " ") == said
    assert follows(grammar(ChatRequest(ASKED, response_schema={})), '{"a":  1}') == '{"a": '


def test_arguments_obey_the_schema() -> None:
    said = '<tool_call>\n{"name": "search", "arguments": {"query": '
    assert follows(grammar(MUST), said + '"a"') == said
    missing = '<tool_call>\n{"name": "fetch_url", "arguments": {'
    assert follows(grammar(MUST), missing + '"purpose"') == missing + '"'


def test_a_thought_comes_before_what_is_constrained() -> None:
    opened, may = Turn(opens_thought=True), Turn(may_think=True)
    for tokens in (True, False):
        inside = grammar(MUST, turn=opened, tokens=tokens)
        assert follows(inside, "Hm {.\n</think>\n\n" + ONE, tokens) == "complete"
        assert follows(inside, "Hm.\n</think>\n\nNo", tokens) == "Hm.\n</think>\n\n"
        before = grammar(MUST, turn=may, tokens=tokens)
        assert follows(before, "<think>Hm.</think>" + ONE, tokens) == "complete"
        assert follows(before, ONE, tokens) == "complete"
    schema = ChatRequest(ASKED, response_schema={})
    assert follows(grammar(schema, turn=opened), 'Hm.\n</think>\n\n{"a": 1}') == "complete"


def test_without_marker_tokens_a_call_is_spelled_out() -> None:
    told = grammar(FREE, "described", tokens=False)
    assert follows(told, "I <think about <tool> it", False) == "complete"
    assert follows(told, "I look. " + TWO, False) == "complete"
    said = 'I look. <tool_call>\n{"name": "'
    assert follows(told, said + "zoom", False) == said
    assert follows(grammar(MUST, "described", tokens=False), "I", False) == ""


def test_calls_in_xml_obey_their_schema() -> None:
    call = (
        '<tool_call>\n<function=search>\n<parameter=query>\n["a", "b"]\n</parameter>\n'
        "<parameter=limit>\n3\n</parameter>\n</function>\n</tool_call>"
    )
    told = grammar(MUST, "qwen3-coder")
    assert follows(told, call) == "complete"
    names = (
        ("search", "fetch_url"),
        ("query", "url"),
        ("limit", "purpose"),
        ('["a", "b"]', "a\n<"),
    )
    free = reduce(lambda text, pair: text.replace(*pair), names, call)
    assert follows(told, free) == "complete"
    missing = "<tool_call>\n<function=search>\n<parameter="
    assert follows(told, missing + "limit") == missing


def test_code_stands_behind_empty_arguments() -> None:
    tool = ToolSpec("PythonInterpreter", "", {"type": "object", "properties": {}})
    call = '{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint("</x>")\n</code>'
    told = grammar(ChatRequest(ASKED, (tool,), "required"))
    assert follows(told, f"<tool_call>\n{call}\n</tool_call>") == "complete"


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({}, '{"any": [1, {"x": null}]}', "[1]"),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", "{"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"enum": ["é", "b"]}}}, '"é"', '"c"'),
        ({"properties": {"a": {"type": "string", "maxLength": 2}}, "required": ["a"]},
         '{"a": "xy"}', '{"a": "xyz"}'),
    ],
)  # fmt: skip
def test_text_obeys_the_response_schema(schema: dict[str, Any], right: str, wrong: str) -> None:
    told = grammar(ChatRequest(ASKED, response_schema=schema))
    assert follows(told, right) == "complete"
    assert follows(told, wrong) not in ("complete", "unfinished")


def test_with_tools_a_response_schema_allows_a_call_or_the_answer() -> None:
    told = grammar(ChatRequest(ASKED, TOOLS, response_schema={}))
    assert follows(told, '{"a": 1}') == follows(told, ONE) == "complete"
    assert follows(told, "No") == ""


def test_definitions_of_a_tools_schema_stay_reachable() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "required": ["a"],
        "$defs": {"A": {"const": 1}},
    }
    for form, said in (
        ("hermes", '{"name": "é", "arguments": {"a": 1}}'),
        ("qwen3-coder", "<function=é>\n<parameter=a>\n1\n</parameter>\n</function>"),
    ):
        told = grammar(ChatRequest(ASKED, (ToolSpec("é", "", schema),), "required"), form)
        assert follows(told, f"<tool_call>\n{said}\n</tool_call>") == "complete"


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    told = grammar(ChatRequest(ASKED, (ToolSpec("now", "", {}),), "required"))
    said = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert follows(told, said) == "complete"


def test_a_schema_that_cannot_be_honoured_is_named_before_generation() -> None:
    bad = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}}
    with pytest.raises(GrammarError, match="parameters of tool 'b' cannot be honoured"):
        grammar(ChatRequest(ASKED, (FETCH, ToolSpec("b", "", bad)), "required"))
    with pytest.raises(GrammarError, match="response_format cannot be honoured") as caught:
        grammar(ChatRequest(ASKED, response_schema=bad))
    assert caught.value.param == "response_format"
    with pytest.raises(GrammarError):
        grammar(ChatRequest(ASKED, response_schema={"type": "nothing"}))
    assert json.dumps(bad)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "string", "pattern": "(["}, "regex parse error: unclosed character class."),
        ({"type": "banana"}, "Invalid type: banana."),
    ],
)
def test_the_reason_of_a_refusal_is_one_line(value: Any, reason: str) -> None:
    schema = {"type": "object", "properties": {"a": value}}
    with pytest.raises(GrammarError) as caught:
        grammar(ChatRequest(ASKED, (ToolSpec("b", "", schema),)))
    assert str(caught.value) == f"The parameters of tool 'b' cannot be honoured: {reason}"
    assert caught.value.param == "tools"


def test_a_choice_that_is_not_there_is_a_request_error() -> None:
    with pytest.raises(RequestError, match="not in tools"):
        grammar(ChatRequest(ASKED, TOOLS, NamedTool("zoom")))
    with pytest.raises(RequestError, match="needs at least one tool"):
        grammar(ChatRequest(ASKED, (), "required"))


def test_references_are_followed_up_to_a_number() -> None:
    def chain(n: int) -> dict[str, Any]:
        defs: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(n)}
        return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{n}": {"type": "integer"}}}

    assert follows(grammar(ChatRequest(ASKED, response_schema=chain(250))), "7") == "complete"
    for told in (
        ChatRequest(ASKED, response_schema=chain(3000)),
        ChatRequest(ASKED, (ToolSpec("b", "", {"properties": {"a": chain(3000)}}),)),
    ):
        with pytest.raises(GrammarError, match="refers to 3001 others"):
            grammar(told)


def test_a_schema_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(100_000):
        deep = {"items": deep}
    with pytest.raises(GrammarError):
        grammar(ChatRequest(ASKED, response_schema=deep))


def test_a_tool_takes_no_parameters_that_it_does_not_name_unless_it_says_so() -> None:
    def told(**schema: Any) -> str | None:
        return grammar(ChatRequest(ASKED, (ToolSpec("f", "", schema),), "required"))

    def said(arguments: str) -> str:
        return f'<tool_call>\n{{"name": "f", "arguments": {arguments}}}\n</tool_call>'

    named = {"properties": {"a": {"type": "integer"}}}
    assert follows(told(**named), said('{"a": 1}')) == "complete"
    assert follows(told(**named), said('{"b": 1}')) != "complete"
    assert follows(told(), said('{"b": 1}')) != "complete"
    assert follows(told(additionalProperties=True), said('{"b": 1}')) == "complete"
    assert follows(told(additionalProperties={"type": "null"}), said('{"b": 1}')) != "complete"
    rooted = {"$ref": "#/$defs/A", "$defs": {"A": named | {"type": "object"}}}
    assert follows(told(**rooted), said('{"a": 1}')) == "complete"
    parts = [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]
    assert follows(told(allOf=parts), said('{"a": 1, "b": 2}')) == "complete"
    assert follows(told(allOf=parts), said('{"b": 2}')) != "complete"


def in_xml(value: str) -> str:
    call = f"<function=f>\n<parameter=a>\n{value}\n</parameter>\n</function>"
    return f"<tool_call>\n{call}\n</tool_call>"


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "string"}, 'any "text"\n</p', None),
        ({"type": "string", "maxLength": 3}, "é\nü", "abcd"),
        ({"type": "string", "minLength": 2}, "ab", "a"),
        ({"type": "string", "pattern": "^[A-Z]{2}-\\d$"}, "AB-7", "xAB-7"),
        ({"type": "string", "pattern": "[0-9]", "maxLength": 4}, "ab7c", "abcd"),
        ({"type": "string", "pattern": "/\\$"}, "a/$b", "a/b"),
        ({"type": "string", "enum": ["a b", "ç"]}, "ç", '"ç"'),
        ({"const": "x"}, "x", "y"),
        ({"enum": ["a", 1]}, '"a"', "a"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "null", "x"),
        ({"$ref": "#/$defs/A"}, '{"b": true}', "{}"),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", "1"),
        ({"type": ["string", "null"]}, '"a"', "a"),
    ],
)
def test_values_in_xml_obey_their_schema_and_are_read_as_they_were_meant(
    schema: dict[str, Any], right: str, wrong: str | None
) -> None:
    a = {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]}
    parameters = {"properties": {"a": schema}, "required": ["a"], "$defs": {"A": a}}
    tool = ToolSpec("f", "", parameters)
    told = grammar(ChatRequest(ASKED, (tool,), "required"), "qwen3-coder")
    assert follows(told, in_xml(right)) == "complete"
    assert wrong is None or follows(told, in_xml(wrong)) != "complete"
    body = in_xml(right).removeprefix("<tool_call>").removesuffix("</tool_call>")
    (call,) = read_calls(body, {"f": tool}, complete=True)
    Draft202012Validator({"type": "object", **parameters}).validate(call.arguments)


def test_what_xml_cannot_say_is_refused() -> None:
    tool = ToolSpec("f", "", {"anyOf": [{"required": ["a"]}], "properties": {"a": {}}})
    with pytest.raises(GrammarError, match="'anyOf' of them all") as caught:
        grammar(ChatRequest(ASKED, (tool,)), "qwen3-coder")
    assert caught.value.param == "tools"
    bad = {"properties": {"a": {"type": "string", "pattern": "a(?=b)"}}}
    with pytest.raises(GrammarError):
        grammar(ChatRequest(ASKED, (ToolSpec("f", "", bad),)), "qwen3-coder")
