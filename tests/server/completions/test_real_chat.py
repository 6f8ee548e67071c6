"""The whole way down: the official client, a real server, a real engine process, a real model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.server.app import create_app
from edge_agent.server.serve import serve
from edge_agent.server.services import Services
from tests.patience import HANG_S
from tests.server.fakes import FakeAgent

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 1024
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a town today.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "maxLength": 40}},
            "required": ["town"],
            "additionalProperties": False,
        },
    },
}


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of a server that runs in this loop until the block ends."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    server = asyncio.create_task(
        serve(
            create_app(services),
            port=0,
            on_ready=ready.set_result,
            stop=stop,
            log_level="critical",
        )
    )
    try:
        url = await asyncio.wait_for(ready, HANG_S)
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=120
        ) as client:
            yield client
    finally:
        stop.set()
        await server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(qwen_path: Path) -> AsyncIterator[EngineClient]:
    spec = LoadSpec(str(qwen_path), N_CTX, n_batch=256, n_parallel=2, n_threads=1)
    client = EngineClient(spec, notice=print, restart_s=(0.0,))
    try:
        await client.start()
        yield client
    finally:
        await client.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(engine: EngineClient, qwen_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    vocab = Vocab.load(qwen_path)
    chat = ChatModel(
        "qwen", vocab, engine, ChatTemplate.of(vocab), N_CTX, SamplingParams(temperature=0.0)
    )
    async with served(Services(chat, FakeAgent())) as connected:
        yield connected
    vocab.close()


def say(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_a_real_model_streams_and_calls_a_tool(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="auto",
        messages=say("Reply with exactly this line: 1 2 3 4 5"),
        max_tokens=24,
        stream=True,
        temperature=0,
        stream_options={"include_usage": True},
        extra_body={"speculative": False},  # a guess that is right is one piece of several tokens
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    usage = chunks[-1].usage
    assert all(digit in text for digit in "12345"), text
    assert sum(bool(c.choices and c.choices[0].delta.content) for c in chunks) > 3
    assert usage and usage.prompt_tokens > 5 and 5 <= usage.completion_tokens <= 24

    answer = await client.chat.completions.create(
        model="qwen",
        messages=say("What is the weather like in Oslo?"),
        tools=[WEATHER],
        tool_choice="required",
        temperature=0,
        max_tokens=256,
    )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls
    call: Any
    (call,) = choice.message.tool_calls  # one is asked for, and eight are allowed
    assert call.function.name == "get_weather"
    assert "Oslo" in json.loads(call.function.arguments)["town"]


async def test_a_real_model_keeps_to_a_schema_and_to_its_window(
    client: openai.AsyncOpenAI,
) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    answer = await client.chat.completions.create(
        model="auto",
        messages=say("What colour is grass?"),
        response_format={"type": "json_schema", "json_schema": {"name": "c", "schema": schema}},
        max_tokens=32,
        temperature=0,
    )
    assert json.loads(answer.choices[0].message.content or "") == {"colour": "green"}
    try:
        await client.chat.completions.create(model="auto", messages=say("word " * 2 * N_CTX))
    except openai.BadRequestError as error:
        body: Any = error.body
        assert body["type"] == "exceed_context_size_error"
        assert body["n_prompt_tokens"] > body["n_ctx"] == N_CTX
    else:
        raise AssertionError("a prompt that cannot fit was answered")


async def test_killing_the_engine_costs_only_the_chat_in_flight(
    client: openai.AsyncOpenAI, engine: EngineClient
) -> None:
    stream = await client.chat.completions.create(
        model="auto", messages=say("Write a long story."), max_tokens=400, stream=True
    )
    pid, restarts = engine.status.pid, engine.status.restarts
    assert pid
    try:
        async for _ in stream:
            if engine.status.pid == pid:
                os.kill(pid, signal.SIGKILL)
    except openai.APIError as error:
        assert "died" in error.message
    else:
        raise AssertionError("the stream of a dead engine ended as if all were well")
    answer = await client.chat.completions.create(
        model="auto", messages=say("Say hello."), max_tokens=8
    )
    assert answer.choices[0].message.content
    assert engine.status.restarts == restarts + 1
