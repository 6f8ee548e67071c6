"""smolagents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.asked import CITIES, GREETING, KEY, QUESTION, TIMEOUT_S, is_weather
from tests.clients.conftest import Server

smolagents = pytest.importorskip("smolagents")


class Weather(smolagents.Tool):
    """The tool of the other clients, and how often it was called."""

    name = "get_weather"
    description = "The weather of a city today."
    inputs = {"city": {"type": "string", "description": "Name of a city.", "enum": CITIES}}  # noqa: RUF012
    output_type = "string"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def forward(self, city: str) -> str:
        self.asked.append(city)
        return f"{city}: 21 degrees, sunny."


def model_of(server: Server) -> Any:
    return smolagents.OpenAIServerModel(
        server.model,
        api_base=server.v1,
        api_key=KEY,
        client_kwargs={"max_retries": 0, "timeout": TIMEOUT_S},
        temperature=0,
        max_tokens=128,
    )


def say(text: str) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


def test_chat(small: Server) -> None:
    answer = model_of(small).generate(say(GREETING))
    assert answer.content
    assert answer.token_usage.output_tokens > 0


def test_streaming(small: Server) -> None:
    deltas = list(model_of(small).generate_stream(say(GREETING)))
    assert sum(bool(delta.content) for delta in deltas) > 1


def test_a_tool_call(caller: Server) -> None:
    answer = model_of(caller).generate(say(QUESTION), tools_to_call_from=[Weather()])
    calls = answer.tool_calls
    assert calls and all(is_weather(c.function.name, c.function.arguments) for c in calls)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_calls_its_tool(caller: Server, streamed: bool) -> None:
    tool = Weather()
    agent = smolagents.ToolCallingAgent(
        tools=[tool],
        model=model_of(caller),
        max_steps=3,
        verbosity_level=smolagents.LogLevel.OFF,
        stream_outputs=streamed,
    )
    agent.run(QUESTION)
    assert "Oslo" in tool.asked
