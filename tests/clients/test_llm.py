"""llm: its models, and its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.asked import GREETING, KEY, QUESTION, is_weather
from tests.clients.asked import get_weather as weather
from tests.clients.conftest import Server

pytest.importorskip("llm")
import llm
from llm.default_plugins.openai_models import Chat


def model_of(server: Server) -> Any:
    return Chat(
        "edge",
        model_name=server.model,
        api_base=server.v1,
        key=KEY,
        supports_tools=True,
        supports_schema=True,
    )


def test_chat(small: Server) -> None:
    answer = model_of(small).prompt(GREETING, max_tokens=24, stream=False)
    assert answer.text()
    assert 0 < answer.usage().output <= 24


def test_streaming(small: Server) -> None:
    pieces = list(model_of(small).prompt(GREETING, max_tokens=24))
    assert sum(bool(piece) for piece in pieces) > 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call(caller: Server, stream: bool) -> None:
    answer = model_of(caller).prompt(
        QUESTION, tools=[llm.Tool.function(weather)], temperature=0, stream=stream
    )
    calls = answer.tool_calls()
    assert calls and all(is_weather(call.name, call.arguments) for call in calls)


def test_a_chain_of_calls_ends_in_an_answer(caller: Server) -> None:
    asked: list[str] = []

    def told(city: str) -> str:
        asked.append(city)
        return weather(city)

    tool = llm.Tool.function(told, name="get_weather")
    chain = model_of(caller).chain(QUESTION, tools=[tool], options={"temperature": 0})
    assert chain.text() and asked


@pytest.fixture
def home(small: Server, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which the command `llm` knows the server."""
    models = [{"model_id": "edge", "model_name": small.model, "api_base": small.v1}]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models))
    yield {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": KEY}


def test_the_command_streams(home: dict[str, str]) -> None:
    command = [sys.executable, "-m", "llm", "-m", "edge", "-o", "max_tokens", "24", GREETING]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
