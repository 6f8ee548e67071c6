"""Anthropic's bodies become the chat they mean, or a refusal that names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.chat.messages import ChatRequest, Message, NamedTool, ToolCall, ToolSpec
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.messages.request import to_request
from edge_agent.server.messages.schemas import MessagesBody
from edge_agent.server.services import Defaults

DEFAULTS = Defaults(SamplingParams(temperature=0.7), max_tokens=200)
USER: dict[str, Any] = {"role": "user", "content": "Hi"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"town": {"type": "string"}}}
WEATHER: dict[str, Any] = {"name": "weather", "description": "Today's.", "input_schema": SCHEMA}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}


def asked(defaults: Defaults = DEFAULTS, **body: Any) -> ChatRequest:
    return to_request(MessagesBody.model_validate({"messages": [USER], **body}), defaults)


def used(id: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "weather", "input": {"town": "Oslo"}, **more}


def result(content: Any = "Sunny", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t1", "content": content, **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_silent_body_gets_the_defaults() -> None:
    request = asked()
    assert request.messages == (Message("user", "Hi"),)
    assert request.sampling == DEFAULTS.sampling and request.max_tokens == 200
    assert (request.thinking, request.thinking_budget) == (None, None)
    assert request.parallel_tool_calls and not request.pin and not request.prefill


def test_the_limits_and_the_sampling_are_the_bodys() -> None:
    request = asked(
        max_tokens=9, temperature=0.1, top_p=0.5, top_k=-1, seed=-1, stop_sequences=["END", "\n"]
    )
    assert request.sampling == SamplingParams(temperature=0.1, top_p=0.5, top_k=0, seed=None)
    assert (request.max_tokens, request.stop) == (9, ("END", "\n"))


@pytest.mark.parametrize("system", ["Be brief.\nAnswer.", [text("Be brief."), text("Answer.")]])
def test_the_system_text_comes_first(system: Any) -> None:
    assert asked(system=system).messages[0] == Message("system", "Be brief.\nAnswer.")


def test_a_checksum_in_the_system_text_does_not_change_the_prompt() -> None:
    prompts = {
        asked(system=f"x-anthropic-billing-header: v=2; cch={sum};You are it.").messages
        for sum in ("a5145", "0ff1c")
    }
    assert len(prompts) == 1
    assert asked(system="My cch=a5145; stays.").messages[0].content == "My cch=a5145; stays."


def test_blocks_become_thoughts_text_and_calls() -> None:
    turn = [{"type": "thinking", "thinking": "Look.", "signature": ""}, text("I look."), used()]
    request = asked(
        messages=[
            USER,
            {"role": "assistant", "content": turn},
            {"role": "user", "content": [text("Here:"), result([text("Sunny"), text("25 °C")])]},
        ]
    )
    assert request.messages == (
        Message("user", "Hi"),
        Message(
            "assistant",
            "I look.",
            thought="Look.",
            tool_calls=(ToolCall("t1", "weather", json.dumps({"town": "Oslo"})),),
        ),
        Message("tool", "Sunny\n25 °C", tool_call_id="t1"),
        Message("user", "Here:"),
    )


def test_an_error_of_a_tool_is_told_to_the_model() -> None:
    turns = [USER, {"role": "assistant", "content": [used()]}]
    request = asked(messages=[*turns, {"role": "user", "content": [result("x", is_error=True)]}])
    assert request.messages[-1] == Message("tool", "Error: x", tool_call_id="t1")


def test_redacted_thoughts_are_passed_over() -> None:
    turn = [{"type": "redacted_thinking", "data": "xyz"}, text("So.")]
    request = asked(messages=[USER, {"role": "assistant", "content": turn}, USER])
    assert request.messages[1] == Message("assistant", "So.")


def test_turns_of_one_side_become_one() -> None:
    said = [{"role": "user", "content": word} for word in "ab"]
    answered = [{"role": "assistant", "content": word} for word in "cd"]
    request = asked(messages=[*said, *answered, USER])
    assert [m.content for m in request.messages] == ["a\n\nb", "c\n\nd", "Hi"]


def test_a_last_assistant_turn_is_the_beginning_of_the_answer() -> None:
    request = asked(messages=[USER, {"role": "assistant", "content": [text("The sky")]}])
    assert (request.messages, request.prefill) == ((Message("user", "Hi"),), "The sky")
    with pytest.raises(RequestError, match="must follow another role"):
        asked(messages=[{"role": "assistant", "content": "The sky"}])


def test_no_turns_are_an_empty_one() -> None:
    assert asked(messages=[]).messages == (Message("user", ""),)
    assert asked(messages=[], system="S").messages == (Message("system", "S"), Message("user", ""))


def test_tools_have_their_schema() -> None:
    assert asked(tools=[WEATHER]).tools == (ToolSpec("weather", "Today's.", SCHEMA),)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, NamedTool("weather")),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_every_tool_choice_is_honoured(choice: Any, expected: Any, alone: bool) -> None:
    choice = {**choice, "disable_parallel_tool_use": alone}
    request = asked(tools=[WEATHER], tool_choice=choice)
    assert request.tool_choice == expected
    assert request.parallel_tool_calls is not alone


def test_thinking_is_as_asked() -> None:
    enabled = asked(thinking={"type": "enabled", "budget_tokens": 50}, max_tokens=100)
    assert (enabled.thinking, enabled.thinking_budget) == (True, 50)
    disabled = asked(thinking={"type": "disabled"})
    assert (disabled.thinking, disabled.thinking_budget) == (False, 0)
    low = asked(thinking={"type": "adaptive"}, output_config={"effort": "low"})
    assert (low.thinking, low.thinking_budget) == (None, 1024)
    assert low.template_kwargs == {"reasoning_effort": "low"}
    off = Defaults(thinking=False)
    assert asked(off).thinking is False
    assert asked(off, thinking={"type": "enabled", "budget_tokens": 5}).thinking is True


def test_an_output_format_is_a_schema() -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    assert asked(output_config={"format": form}).response_schema == SCHEMA


def test_cache_control_at_the_system_text_or_a_tool_pins_the_prompt() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    assert asked(system=[{**text("S"), **mark}]).pin
    assert asked(tools=[{**WEATHER, **mark}]).pin
    assert not asked(messages=[{"role": "user", "content": [{**text("S"), **mark}]}]).pin


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0]: image"),
        (
            {"messages": [{"role": "user", "content": [result([text("a"), IMAGE])]}]},
            "messages[0].content[0].content[1]: image input is not supported",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "document is not"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "bash_20250124 is not supported"),
        ({"mcp_servers": [{"url": "http://x"}]}, "mcp_servers is not supported"),
        ({"container": "c1"}, "container is not supported"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(body: Any, where: str) -> None:
    with pytest.raises(NotSupported) as caught:
        asked(**body)
    assert where in str(caught.value)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"messages": [{"role": "user", "content": [used()]}]}, "does not belong into user"),
        ({"messages": [{"role": "assistant", "content": [result()]}]}, "into assistant"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0].text"),
        ({"messages": [USER, {"role": "assistant", "content": [used(name="")]}]}, "[0].name"),
        ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
        ({"tools": [{**WEATHER, "input_schema": {"type": "array"}}]}, '"type": "object"'),
        ({"tools": [WEATHER, WEATHER]}, "two tools named weather"),
        ({"tool_choice": {"type": "any"}}, "any needs tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "x is not among"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}, "max_tokens": 9}, "less than max"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field(body: Any, where: str) -> None:
    with pytest.raises(RequestError) as caught:
        asked(**body)
    assert where in str(caught.value) and not isinstance(caught.value, NotSupported)
