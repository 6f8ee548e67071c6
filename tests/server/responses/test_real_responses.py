"""The whole way down: the official client, a real file, a real engine process, a real model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import closing
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
from edge_agent.server.responses.desk import Desk
from edge_agent.server.services import Services
from edge_agent.store.responses import open_responses
from tests.server.fakes import FakeAgent
from tests.server.responses.conftest import served

pytestmark = pytest.mark.asyncio(loop_scope="module")
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a town today.",
    "parameters": {
        "type": "object",
        "properties": {"town": {"enum": ["Oban", "Oslo"]}},
        "required": ["town"],
        "additionalProperties": False,
    },
}
COLOUR: Any = {
    "type": "json_schema",
    "name": "colour",
    "schema": {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    },
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(
    smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[openai.AsyncOpenAI]:
    spec = LoadSpec(str(smollm2_path), 1024, n_batch=256, n_parallel=2, n_threads=1)
    engine, vocab = EngineClient(spec, notice=print), Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0.0)
    chat = ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), 1024, greedy)
    path = tmp_path_factory.mktemp("kept") / "responses.sqlite"
    with closing(open_responses(path)) as store:
        desk = Desk(store)
        try:
            await engine.start()
            async with served(Services(chat, FakeAgent(), responses=desk)) as connected:
                yield connected
        finally:
            await desk.close()
            await engine.close()
            vocab.close()


async def test_a_conversation_of_three_computes_nothing_twice(client: openai.AsyncOpenAI) -> None:
    create = client.responses.create
    common: Any = {"model": "auto", "instructions": "Answer.", "text": {"format": COLOUR}}
    first = await create(input="What colour is grass? " * 8, **common)
    assert json.loads(first.output_text)["colour"] in ("red", "green", "blue")
    before = first
    for question in ("And the sky?", "And blood?"):
        after = await create(input=question, previous_response_id=before.id, **common)
        assert before.usage and after.usage
        said = before.usage.input_tokens + before.usage.output_tokens
        # all but the end of the turn, which is not repeated, and what the form forced behind the
        # last draw (`"}` at least), which was written and never computed
        assert after.usage.input_tokens_details.cached_tokens >= said - 4
        assert after.usage.input_tokens > said
        before = after


async def test_a_call_and_its_output_go_on_from_the_cells(client: openai.AsyncOpenAI) -> None:
    create = client.responses.create
    called = await create(
        model="auto",
        input="Weather in Oslo?",
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    (call,) = called.output
    assert call.type == "function_call" and call.name == "get_weather"
    assert json.loads(call.arguments)["town"] in ("Oban", "Oslo")
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain, 9 C"}
    stream = await create(
        model="auto",
        input=[output],
        tools=[WEATHER],
        previous_response_id=called.id,
        max_output_tokens=12,
        stream=True,
    )
    events = [event async for event in stream]
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert called.usage and last.response.usage
    # of a call its end follows from the grammar: known, and not computed before now
    cached = last.response.usage.input_tokens_details.cached_tokens
    assert cached > called.usage.input_tokens
    assert last.response.usage.input_tokens > cached + 4
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_progress_and_timings_are_told_of_a_real_prompt(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(
        model="auto",
        input="This is a test. " * 60,
        max_output_tokens=6,
        stream=True,
        extra_body={"return_progress": True, "timings_per_token": True},
    )
    events: list[Any] = [event.to_dict() async for event in stream]
    told = [event["prompt_progress"] for event in events if "prompt_progress" in event]
    assert told and all(each["total"] >= each["processed"] >= each["cache"] for each in told)
    assert [each["processed"] for each in told] == sorted(each["processed"] for each in told)
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert deltas and all(event["timings"]["predicted_per_second"] >= 0 for event in deltas)
    assert "timings" in events[-1] and "usage" in events[-1]["response"]


async def test_a_response_of_the_background_is_written_by_the_model(
    client: openai.AsyncOpenAI,
) -> None:
    begun = await client.responses.create(
        model="auto",
        input="Count.",
        max_output_tokens=400,
        background=True,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    seen = ""
    async for event in begun:
        if event.type == "response.created":
            name = event.response.id
        seen += event.delta if event.type == "response.output_text.delta" else ""
        if len(seen) > 20:
            break
    await begun.close()
    cancelled = await client.responses.cancel(name)
    assert cancelled.status == "cancelled"
    assert cancelled.output_text.startswith(seen)
