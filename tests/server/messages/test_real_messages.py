"""The whole way down: Anthropic's client, a real server, a real engine process, a real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
import pytest_asyncio

from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.server.app import create_app
from edge_agent.server.serve import serve
from edge_agent.server.services import Defaults, Services
from tests.patience import HANG_S
from tests.server.fakes import FakeAgent

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 1024
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather of a town today.",
    "input_schema": {
        "type": "object",
        "properties": {"town": {"type": "string", "maxLength": 20}},
        "required": ["town"],
        "additionalProperties": False,
    },
}


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[str]:
    """The URL of a server that runs in this loop until the block ends."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    app = create_app(services)
    server = asyncio.create_task(
        serve(app, port=0, on_ready=ready.set_result, stop=stop, log_level="critical")
    )
    try:
        yield await asyncio.wait_for(ready, HANG_S)
    finally:
        stop.set()
        await server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def url(smollm2_path: Path) -> AsyncIterator[str]:
    spec = LoadSpec(str(smollm2_path), N_CTX, n_batch=256, n_parallel=2, n_threads=1)
    engine = EngineClient(spec, notice=print)
    vocab = Vocab.load(smollm2_path)
    try:
        await engine.start()
        chat = ChatModel("smol", vocab, engine, ChatTemplate.of(vocab), N_CTX, SamplingParams())
        greedy = Defaults(SamplingParams(temperature=0.0))
        services = Services(chat, FakeAgent(), texts=chat.texts, defaults=greedy)
        async with served(services) as where:
            yield where
    finally:
        await engine.close()
        vocab.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(url: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=url, api_key="unused", max_retries=0, timeout=60
    ) as connected:
        yield connected


def say(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_a_stream_and_a_message_say_the_same(client: anthropic.AsyncAnthropic) -> None:
    asked: Any = {"model": "any", "max_tokens": 24, "messages": say("Count: 1 2 3 4")}
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        words = [word async for word in stream.text_stream]
        streamed = await stream.get_final_message()
    assert whole.content[0].type == "text" and streamed.content[0].type == "text"
    assert "".join(words) == streamed.content[0].text == whole.content[0].text
    assert len(words) > 3
    prompt = whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0)
    counted = await client.messages.count_tokens(model="any", messages=asked["messages"])
    assert prompt == counted.input_tokens
    assert streamed.usage.cache_read_input_tokens == prompt - streamed.usage.input_tokens > 0


async def test_a_stop_sequence_is_named(client: anthropic.AsyncAnthropic) -> None:
    answer = await client.messages.create(
        model="any", max_tokens=64, messages=say("Count: 1, 2, 3"), stop_sequences=[" ", "\n"]
    )
    assert answer.stop_reason == "stop_sequence" and answer.stop_sequence in (" ", "\n")


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
async def test_a_forced_call_comes_with_an_input(
    client: anthropic.AsyncAnthropic, choice: Any
) -> None:
    asked: Any = {
        "model": "any",
        "max_tokens": 64,
        "messages": say("What is the weather in Oslo?"),
        "tools": [WEATHER],
        "tool_choice": {**choice, "disable_parallel_tool_use": True},
    }
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        streamed = await stream.get_final_message()
    for answer in (whole, streamed):
        (call,) = answer.content
        assert call.type == "tool_use" and call.name == "get_weather"
        assert answer.stop_reason == "tool_use"
        assert isinstance(call.input, dict) and isinstance(call.input["town"], str)


async def test_a_conversation_with_results_goes_on(client: anthropic.AsyncAnthropic) -> None:
    called = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"town": "Oslo"}}
    answered = {"type": "tool_result", "tool_use_id": "t1", "content": "Sunny, 25 °C"}
    messages: Any = [
        *say("What is the weather in Oslo?"),
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [answered, {"type": "text", "text": "In one word?"}]},
    ]
    answer = await client.messages.create(
        model="any", max_tokens=16, messages=messages, tools=[WEATHER], tool_choice={"type": "none"}
    )
    assert answer.content[0].type == "text" and answer.content[0].text


async def test_a_prompt_that_cannot_fit_is_refused_and_counted(
    client: anthropic.AsyncAnthropic,
) -> None:
    long = say("word " * 2 * N_CTX)
    with pytest.raises(anthropic.BadRequestError, match="context window holds 1024"):
        await client.messages.create(model="any", max_tokens=9, messages=long)
    counted = await client.messages.count_tokens(model="any", messages=long)
    assert counted.input_tokens > 2 * N_CTX


async def test_tokens_and_prompts_are_the_models_own(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        text = "What is the capital of France ? 媽 🤗"
        asked = {"content": text, "with_pieces": True}
        pieces = (await http.post("/tokenize", json=asked)).json()["tokens"]
        assert any(isinstance(one["piece"], list) for one in pieces)
        ids = {"tokens": [one["id"] for one in pieces]}
        assert (await http.post("/detokenize", json=ids)).json() == {"content": text}
        prompt = (await http.post("/apply-template", json={"messages": say(text)})).json()["prompt"]
        assert text in prompt and prompt.endswith("<|im_start|>assistant\n")
