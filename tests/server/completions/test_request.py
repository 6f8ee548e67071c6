"""The body of a chat completion as a table: what each field becomes, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent.chat.messages import Grammar, Message, NamedTool, ToolCall
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.errors import sentence
from edge_agent.server.research.schemas import RunBody
from edge_agent.server.services import Defaults

USER = {"role": "user", "content": "Hi"}
DEFAULTS = Defaults(SamplingParams(temperature=0.7, top_k=20, seed=5), max_tokens=100)
TOOL = {"type": "function", "function": {"name": "f"}}


def request_of(*messages: dict[str, Any], **fields: Any) -> Any:
    body = {"messages": list(messages) or [USER], **fields}
    return to_request(ChatBody.model_validate(body), DEFAULTS)


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"role": "user", "content": "Hi"}, Message("user", "Hi")),
        ({"role": "developer", "content": "Be"}, Message("system", "Be")),
        (
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            Message("user", "a\nb"),
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "42"},
            Message("tool", "42", tool_call_id="c1", name="f"),
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            Message("assistant", "", "hm", (ToolCall("c1", "f", "{}"),)),
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": "é"}}}],
            },
            Message("assistant", "", tool_calls=(ToolCall("c1", "f", '{"a": "é"}'),)),
        ),
    ],
)
def test_a_message_keeps_all_that_it_says(wire: dict[str, Any], message: Message) -> None:
    assert request_of(wire, USER).messages == (message, Message("user", "Hi"))


def test_a_last_assistant_message_is_continued() -> None:
    request = request_of(USER, {"role": "assistant", "content": "It is"})
    assert request.messages == (Message("user", "Hi"),) and request.prefill == "It is"


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"tools": [TOOL]}, "tool_choice", "auto"),
        ({"tools": [TOOL], "tool_choice": "none"}, "tool_choice", "none"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice", "required"),
        ({"tools": [TOOL], "tool_choice": TOOL}, "tool_choice", NamedTool("f")),
        ({}, "parallel_tool_calls", True),
        ({"parallel_tool_calls": False}, "parallel_tool_calls", False),
        ({"response_format": {"type": "text"}}, "response_schema", None),
        ({"response_format": {"type": "json_object"}}, "response_schema", {}),
        (
            {"response_format": {"type": "json_object", "schema": {"type": "array"}}},
            "response_schema",
            {"type": "array"},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
                }
            },
            "response_schema",
            {"type": "object"},
        ),
        ({}, "max_tokens", 100),
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"max_tokens": 7, "max_completion_tokens": 8}, "max_tokens", 8),
        ({"max_tokens": -1}, "max_tokens", None),
        ({"stop": "end"}, "stop", ("end",)),
        ({"stop": ["a", "b"]}, "stop", ("a", "b")),
        ({"stop": ""}, "stop", ()),
        ({"stop": None}, "stop", ()),
        ({}, "thinking", None),
        ({"reasoning_effort": "none"}, "thinking", False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "thinking", True),
        ({"chat_template_kwargs": {"enable_thinking": False, "x": 1}}, "template_kwargs", {"x": 1}),
        ({"reasoning_effort": "low"}, "template_kwargs", {"reasoning_effort": "low"}),
        ({}, "thinking_budget", None),
        ({"reasoning_effort": "none"}, "thinking_budget", 0),
        ({"reasoning_effort": "minimal"}, "thinking_budget", 256),
        ({"reasoning_effort": "low"}, "thinking_budget", 1024),
        ({"reasoning_effort": "medium"}, "thinking_budget", 4096),
        ({"reasoning_effort": "high"}, "thinking_budget", None),
        ({"thinking_budget_tokens": 77}, "thinking_budget", 77),
        ({"reasoning_budget_tokens": 77}, "thinking_budget", 77),
        ({"thinking_budget_tokens": -1, "reasoning_effort": "low"}, "thinking_budget", None),
        ({"thinking_budget_tokens": 0}, "thinking", False),
        ({"thinking_budget_tokens": 9, "reasoning_effort": "none"}, "thinking", None),
        ({"thinking_budget_message": "Enough."}, "thinking_close", "Enough."),
        ({}, "n", 1),
        ({"n": 3}, "n", 3),
        ({}, "n_logprobs", None),
        ({"logprobs": True}, "n_logprobs", 0),
        ({"logprobs": True, "top_logprobs": 20}, "n_logprobs", 20),
        ({"logprobs": False, "top_logprobs": 0}, "n_logprobs", None),
        ({}, "speculate", None),
        ({"speculative": False}, "speculate", False),
        ({}, "fresh", False),
        ({"cache_prompt": True}, "fresh", False),
        ({"cache_prompt": False}, "fresh", True),
        ({}, "pin", False),
        ({"pin_prompt": True}, "pin", True),
        ({}, "priority", 0),
        ({"priority": "background"}, "priority", 1),
        ({"grammar": 'root ::= "a"'}, "grammar", Grammar("gbnf", 'root ::= "a"')),
        ({"grammar": ""}, "grammar", None),
        (
            {"grammar": '%llguidance {}\nstart: "a"'},
            "grammar",
            Grammar("lark", '%llguidance {}\nstart: "a"'),
        ),
        (
            {"response_format": {"type": "regex", "pattern": "[0-9]+"}},
            "grammar",
            Grammar("regex", "[0-9]+"),
        ),
        (
            {"response_format": {"type": "regex", "regex": "[0-9]+"}},
            "grammar",
            Grammar("regex", "[0-9]+"),
        ),
        (
            {"response_format": {"type": "grammar", "grammar": "root ::= [0-9]"}},
            "grammar",
            Grammar("gbnf", "root ::= [0-9]"),
        ),
        ({"user": "me", "metadata": {"a": 1}, "store": True, "whatever": [1]}, "prefill", ""),
        ({"n": 1, "logprobs": False, "stream": None}, "prefill", ""),
    ],
)
def test_a_field_becomes(fields: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(request_of(**fields), name) == value


def test_sampling_is_the_defaults_with_what_was_asked() -> None:
    assert request_of().sampling == DEFAULTS.sampling
    asked = {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": -1,
        "min_p": 0.1,
        "typical_p": 0.8,
        "presence_penalty": 1.5,
        "frequency_penalty": -0.5,
        "repeat_penalty": 1.1,
        "repeat_last_n": 32,
        "dry_multiplier": 0.8,
        "dry_base": 1.5,
        "dry_allowed_length": 3,
        "dry_penalty_last_n": 512,
        "dry_sequence_breakers": ["\n", ""],
        "seed": 42,
        "logit_bias": {"15": -100, "7": 1.5},
    }
    assert request_of(**asked).sampling == SamplingParams(
        temperature=0,
        top_p=0.9,
        top_k=0,
        min_p=0.1,
        typical_p=0.8,
        presence_penalty=1.5,
        frequency_penalty=-0.5,
        repeat_penalty=1.1,
        penalty_last_n=32,
        dry_multiplier=0.8,
        dry_base=1.5,
        dry_allowed_length=3,
        dry_penalty_last_n=512,
        dry_breakers=("\n",),
        seed=42,
        logit_bias=((15, -100), (7, 1.5)),
    )


def test_a_seed_of_minus_one_is_a_fresh_one() -> None:
    assert request_of(seed=-1).sampling.seed is None


def test_llama_servers_short_names_are_known() -> None:
    assert request_of(typ_p=0.5).sampling.typical_p == 0.5
    assert request_of(dry_sequence_breakers=[]).sampling.dry_breakers == ()


def test_a_request_goes_by_the_id_of_its_completion() -> None:
    body = ChatBody.model_validate({"messages": [USER]})
    assert to_request(body, DEFAULTS, "chatcmpl-1").name == "chatcmpl-1"


def test_a_tool_without_parameters_takes_none() -> None:
    (tool,) = request_of(tools=[TOOL]).tools
    assert (tool.name, tool.description) == ("f", "")
    assert tool.parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_is_not_supported_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(NotSupported) as caught:
        request_of(**fields)
    assert caught.value.param == param
    assert str(caught.value).startswith(param)


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"top_logprobs": 3}, "top_logprobs needs logprobs"),
        ({"top_logprobs": 3, "logprobs": False}, "top_logprobs needs logprobs"),
        ({"response_format": {"type": "regex"}}, "response_format.pattern: this field"),
        ({"response_format": {"type": "grammar"}}, "response_format.grammar: this field"),
        (
            {"grammar": "root ::= [0-9]", "response_format": {"type": "json_object"}},
            "grammar: it cannot be given together with response_format",
        ),
        (
            {"grammar": "root ::= [0-9]", "response_format": {"type": "regex", "pattern": "a"}},
            "grammar: it cannot be given together with response_format",
        ),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"tool_choice": "required"}, "tool_choice: required needs tools"),
        ({"tools": [TOOL], "tool_choice": {**TOOL, "function": {"name": "g"}}}, "tool_choice: g"),
        ({"tools": [TOOL, TOOL]}, "tools[1]: there are two"),
        ({"tools": [{"type": "function"}]}, "tools[0].function: this field is required"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema: this field"),
        ({"logit_bias": {"x": 1}}, "logit_bias: 'x' is not a token id"),
        ({"logit_bias": {"-1": 1}}, "logit_bias: '-1' is not a token id"),
        ({"logit_bias": {"9" * 5000: 1}}, "logit_bias: '999"),
        (
            {"tools": [{**TOOL, "function": {"name": "f", "parameters": {"type": "string"}}}]},
            "tools[0].function.parameters: the arguments of a tool",
        ),
        ({"chat_template_kwargs": {"enable_thinking": 1}}, "chat_template_kwargs.enable_thinking"),
        ({"messages": [{"role": "user"}]}, "messages[0].content: this user message has none"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "messages: a last assistant"),
        (
            {"messages": [USER, {"role": "user", "content": [{"type": "text"}]}]},
            "messages[1].content[0].text: this field is required",
        ),
        (
            {"messages": [{**USER, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}]},
            "messages[0].tool_calls",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(fields: dict[str, Any], start: str) -> None:
    with pytest.raises(RequestError) as caught:
        request_of(**fields)
    assert str(caught.value).startswith(start)


MESSAGE_SHAPE = "Input should be a string or a list of parts."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"messages": []}, "messages: it must not be empty"),
        ({"messages": "Hi"}, "messages: Input should be a valid list"),
        ({"messages": None}, "messages: Input should be a valid list"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role: this field is required"),
        ({"messages": [{"role": "cat", "content": "Hi"}]}, "messages[0].role: Input should be"),
        ({"messages": [{**USER, "content": 5}]}, f"messages[0].content: {MESSAGE_SHAPE}"),
        ({"messages": [{**USER, "content": [5]}]}, "messages[0].content[0]: Input should be"),
        (
            {"messages": [{**USER, "content": [{"type": "text", "text": 5}]}]},
            "messages[0].content[0].text: Input should be a valid string",
        ),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"temperature": "0.5"}, "temperature: Input should be a valid number"),
        ({"temperature": True}, "temperature: Input should be a valid number"),
        ({"temperature": -1}, "temperature: Input should be greater than or equal to 0"),
        ({"temperature": float("nan")}, "temperature: Input should be a finite number"),
        ({"top_p": 2}, "top_p: Input should be less than or equal to 1"),
        ({"n": 0}, "n: Input should be greater than or equal to 1"),
        ({"n": 129}, "n: Input should be less than or equal to 128"),
        ({"n": 1.5}, "n: Input should be a valid integer"),
        ({"logprobs": 5}, "logprobs: Input should be a valid boolean"),
        ({"top_logprobs": 21}, "top_logprobs: Input should be less than or equal to 20"),
        ({"top_logprobs": -1}, "top_logprobs: Input should be greater than or equal to 0"),
        ({"grammar": {}}, "grammar: Input should be a valid string"),
        ({"reasoning_effort": "some"}, "reasoning_effort: Input should be 'none'"),
        ({"thinking_budget_tokens": -2}, "thinking_budget_tokens: Input should be greater"),
        ({"priority": "high"}, "priority: Input should be 'interactive' or 'background'"),
        ({"speculative": "yes"}, "speculative: Input should be a valid boolean"),
        ({"dry_multiplier": -1}, "dry_multiplier: Input should be greater than or equal to 0"),
        ({"response_format": {"type": "xml"}}, "response_format.type: Input should be 'text'"),
        ({"seed": 2**80}, "seed: Input should be less than"),
        ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": 1.5}, "max_tokens: Input should be a valid integer"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"stop": 5}, "stop: Input should be a string or a list of strings"),
        ({"stop": ["x"] * 17}, "stop: List should have at most 16 items"),
        ({"stop": ["x", ""]}, "stop[1]: String should have at least 1 character"),
        ({"tools": {}}, "tools: Input should be a valid list"),
        ({"tools": [{**TOOL, "function": {"name": ""}}]}, "tools[0].function.name: String should"),
        (
            {"tools": [{**TOOL, "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters: Input should be a valid dictionary",
        ),
        (
            {"tools": [{**TOOL, "function": {"name": "f", "parameters": {"a": "\ud800"}}}]},
            "tools[0].function.parameters: holds half of a surrogate pair",
        ),
        ({"tool_choice": "sometimes"}, "tool_choice: Input should be 'none', 'auto' or 'required'"),
        ({"tool_choice": 5}, 'tool_choice: Input should be "none", "auto"'),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function: this field is required"),
        ({"response_format": {"type": "xml"}}, "response_format.type: Input should be 'text'"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema: this field is required",
        ),
        ({"logit_bias": {"5": "much"}}, "logit_bias.5: Input should be a number, or false"),
    ],
)
def test_a_wrong_type_is_one_sentence_naming_the_field(
    fields: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        request_of(**fields)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    message, param = sentence(errors)
    assert message.startswith(expected) and message.endswith(".")
    assert message.startswith(str(param))


@pytest.mark.parametrize("kind", [ChatBody, RunBody])
def test_the_wire_types_can_be_documented(kind: type[ChatBody] | type[RunBody]) -> None:
    assert json.dumps(kind.model_json_schema())
