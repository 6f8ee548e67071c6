"""langchain-openai."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.asked import (
    CITIES,
    FOLLOW_UP,
    GREETING,
    KEY,
    QUESTION,
    TIMEOUT_S,
    TOOL,
    is_weather,
)
from tests.clients.conftest import Server

langchain_openai = pytest.importorskip("langchain_openai")
messages = pytest.importorskip("langchain_core.messages")


def model_of(server: Server, **more: Any) -> Any:
    return langchain_openai.ChatOpenAI(
        base_url=server.v1,
        api_key=KEY,
        model=server.model,
        max_retries=0,
        timeout=TIMEOUT_S,
        temperature=0,
        **more,
    )


def test_chat(small: Server) -> None:
    answer = model_of(small, max_tokens=24).invoke(GREETING)
    assert answer.content
    assert 0 < answer.usage_metadata["output_tokens"] <= 24


def test_streaming(small: Server) -> None:
    chunks = list(model_of(small, max_tokens=24, stream_usage=True).stream(GREETING))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert sum(bool(chunk.content) for chunk in chunks) > 1
    assert whole.content and whole.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_a_tool_call_and_its_result(caller: Server, choice: str) -> None:
    model = model_of(caller, max_tokens=128)
    bound = model.bind_tools([TOOL], tool_choice=choice, parallel_tool_calls=False)
    first = bound.invoke(QUESTION)
    (call,) = first.tool_calls
    assert is_weather(call["name"], call["args"])
    result = messages.ToolMessage("21 degrees and sunny", tool_call_id=call["id"])
    turns = [messages.HumanMessage(QUESTION), first, result, messages.HumanMessage(FOLLOW_UP)]
    second = model.invoke(turns)
    assert "21" in second.content


def test_a_tool_call_that_is_streamed(caller: Server) -> None:
    chunks = list(model_of(caller).bind_tools([TOOL], tool_choice="required").stream(QUESTION))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.tool_calls
    assert all(is_weather(call["name"], call["args"]) for call in whole.tool_calls)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(caller: Server, method: str) -> None:
    schema = {"title": "town", "description": "A town.", **TOOL["function"]["parameters"]}
    model = model_of(caller, max_tokens=128).with_structured_output(schema, method=method)
    assert model.invoke(QUESTION)["city"] in CITIES


def test_responses(caller: Server) -> None:
    model = model_of(caller, use_responses_api=True, max_tokens=128)
    assert model.invoke(GREETING).text
    calls = model.bind_tools([TOOL], tool_choice="required").invoke(QUESTION).tool_calls
    assert calls and all(is_weather(call["name"], call["args"]) for call in calls)
