"""The official client of Anthropic for Python."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.asked import (
    DESCRIPTION,
    FOLLOW_UP,
    GREETING,
    KEY,
    PARAMETERS,
    QUESTION,
    TIMEOUT_S,
    is_weather,
)
from tests.clients.conftest import Server

anthropic = pytest.importorskip("anthropic")
TOOL = {"name": "get_weather", "description": DESCRIPTION, "input_schema": PARAMETERS}
GREEDY = {"temperature": 0}  # newer versions of the client have no word for it
ASK = [{"role": "user", "content": QUESTION}]


def client_of(server: Server) -> Any:
    return anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0, timeout=TIMEOUT_S)


def test_chat(small: Server) -> None:
    answer = client_of(small).messages.create(
        model=small.model, max_tokens=24, messages=[{"role": "user", "content": GREETING}]
    )
    assert answer.content[0].type == "text" and answer.content[0].text
    assert answer.stop_reason in ("end_turn", "max_tokens")
    assert 0 < answer.usage.output_tokens <= 24


def test_streaming(small: Server) -> None:
    with client_of(small).messages.stream(
        model=small.model,
        max_tokens=24,
        system="You are brief.",
        messages=[{"role": "user", "content": GREETING}],
    ) as stream:
        deltas = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(deltas) > 1
    assert "".join(deltas) == final.content[0].text


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
def test_a_tool_call(caller: Server, choice: dict[str, Any]) -> None:
    answer = client_of(caller).messages.create(
        model=caller.model,
        max_tokens=256,
        extra_body=GREEDY,
        messages=ASK,
        tools=[TOOL],
        tool_choice={**choice, "disable_parallel_tool_use": True},
    )
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use"
    assert is_weather(call.name, call.input)


def test_a_tool_call_that_is_streamed_and_its_result(caller: Server) -> None:
    client = client_of(caller)
    asked = {"model": caller.model, "max_tokens": 256, "extra_body": GREEDY}
    choice = {"type": "any", "disable_parallel_tool_use": True}
    with client.messages.stream(**asked, messages=ASK, tools=[TOOL], tool_choice=choice) as stream:
        first = stream.get_final_message()
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert is_weather(call.name, call.input)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees and sunny"}
    turns = [
        *ASK,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result, {"type": "text", "text": FOLLOW_UP}]},
    ]
    second = client.messages.create(**asked, messages=turns)
    assert "21" in second.content[0].text


def test_tokens_are_counted(small: Server) -> None:
    client = client_of(small)
    short = client.messages.count_tokens(model=small.model, messages=ASK)
    long = client.messages.count_tokens(model=small.model, messages=ASK, tools=[TOOL])
    assert 0 < short.input_tokens < long.input_tokens


def test_an_error_is_its_own_class(small: Server) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client_of(small).messages.create(model=small.model, max_tokens=0, messages=ASK)
