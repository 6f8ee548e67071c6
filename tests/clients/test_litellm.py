"""litellm, as a client of an OpenAI-compatible server and of an Anthropic one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.asked import GREETING, KEY, QUESTION, TIMEOUT_S, TOOL, is_weather
from tests.clients.conftest import Server

litellm = pytest.importorskip("litellm")
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def ask(server: Server, text: str, kind: str = "openai", **more: Any) -> Any:
    return litellm.completion(
        model=f"{kind}/{server.model}",
        api_base=server.v1 if kind == "openai" else server.url,
        api_key=KEY,
        messages=[{"role": "user", "content": text}],
        timeout=TIMEOUT_S,
        num_retries=0,
        temperature=0,
        **more,
    )


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_chat(small: Server, kind: str) -> None:
    answer = ask(small, GREETING, kind, max_tokens=24)
    assert answer.choices[0].message.content
    assert 0 < answer.usage.completion_tokens <= 24


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_streaming(small: Server, kind: str) -> None:
    chunks = list(ask(small, GREETING, kind, max_tokens=24, stream=True))
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert sum(bool(word) for word in words) > 1


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_tool_call(caller: Server, choice: Any, kind: str) -> None:
    answer = ask(caller, QUESTION, kind, tools=[TOOL], tool_choice=choice, max_tokens=128)
    calls = answer.choices[0].message.tool_calls
    assert calls and all(is_weather(c.function.name, c.function.arguments) for c in calls)


def test_a_tool_call_that_is_streamed(caller: Server) -> None:
    stream = ask(caller, QUESTION, tools=[TOOL], tool_choice="required", stream=True)
    whole = litellm.stream_chunk_builder(list(stream))
    calls = whole.choices[0].message.tool_calls
    assert calls and all(is_weather(c.function.name, c.function.arguments) for c in calls)
