"""Choices, log probabilities, thoughts and refusals: the official client down to a real model."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.server.services import Services
from tests.server.fakes import FakeAgent

from .test_real_chat import served

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 4096
N_PARALLEL = 4
# SmolLM2 does not think; a template that opens a thought makes it write one, without an end.
THINKER = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    spec = LoadSpec(str(smollm2_path), N_CTX, n_batch=256, n_parallel=N_PARALLEL, n_threads=1)
    client = EngineClient(spec, notice=print)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


def chat_of(engine: EngineClient, vocab: Vocab, template: ChatTemplate) -> ChatModel:
    return ChatModel("smollm2", vocab, engine, template, N_CTX, SamplingParams(temperature=0.0))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(engine: EngineClient, vocab: Vocab) -> AsyncIterator[openai.AsyncOpenAI]:
    chat = chat_of(engine, vocab, ChatTemplate.of(vocab))
    async with served(Services(chat, FakeAgent())) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def thinker(engine: EngineClient, vocab: Vocab) -> AsyncIterator[openai.AsyncOpenAI]:
    chat = chat_of(engine, vocab, ChatTemplate(THINKER))
    async with served(Services(chat, FakeAgent())) as connected:
        yield connected


def ask(text: str = "Name three harbour towns.", **fields: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    asked = {"model": "auto", "messages": messages, "max_tokens": 24, "temperature": 0}
    return {**asked, **fields}


def endless(vocab: Vocab) -> dict[str, int]:
    """A bias against the end of the turn."""
    return {str(token): -100 for token in vocab.eog_ids}


async def test_choices_are_the_answers_that_their_seeds_give_alone(
    client: openai.AsyncOpenAI,
) -> None:
    asked = ask(temperature=1.2, seed=7, n=N_PARALLEL)
    several = await client.chat.completions.create(**asked)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    assert len({choice.message.content for choice in several.choices}) > 1
    # what is drawn first is drawn from the very same logits; later ones share their steps
    asked |= {"max_tokens": 1}
    several = await client.chat.completions.create(**asked)
    for i, choice in enumerate(several.choices):
        alone = await client.chat.completions.create(**{**asked, "n": 1, "seed": 7 + i})
        assert alone.choices[0].message.content == choice.message.content
    assert several.usage and alone.usage
    assert several.usage.prompt_tokens == alone.usage.prompt_tokens
    assert several.usage.completion_tokens == N_PARALLEL


async def test_streamed_choices_are_those_of_the_whole(client: openai.AsyncOpenAI) -> None:
    asked = ask(n=2)
    whole = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    text, reasons = ["", ""], ["", ""]
    async for chunk in stream:
        for choice in chunk.choices:
            text[choice.index] += choice.delta.content or ""
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert text == [choice.message.content for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert chunk.usage and whole.usage
    assert chunk.usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_more_choices_than_sequences_are_refused(
    client: openai.AsyncOpenAI, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match=f"at most {N_PARALLEL}") as caught:
        await client.chat.completions.create(**ask(n=N_PARALLEL + 1, stream=stream))
    assert caught.value.param == "n"


async def test_log_probabilities_are_those_of_the_text(client: openai.AsyncOpenAI) -> None:
    asked = ask("Say: owl 🦉, naïve café.", logprobs=True, top_logprobs=3)
    answer = await client.chat.completions.create(**asked)
    told = answer.choices[0].logprobs
    assert told and told.content
    spelled = bytes(b for token in told.content for b in token.bytes or [])
    assert spelled.decode("utf-8", "replace").strip() == answer.choices[0].message.content
    for token in told.content:
        likeliest = token.top_logprobs[0]
        assert (likeliest.bytes, likeliest.logprob) == (token.bytes, token.logprob)  # greedy
        assert len(token.top_logprobs) == 3
        assert 0 < sum(math.exp(top.logprob) for top in token.top_logprobs) <= 1.0001


async def test_streamed_log_probabilities_come_with_their_text(
    client: openai.AsyncOpenAI,
) -> None:
    asked = ask("Count: 1 2 3 4 5 6", logprobs=True)
    whole = await client.chat.completions.create(**asked)
    tokens: list[Any] = []
    async for chunk in await client.chat.completions.create(**asked, stream=True):
        (choice,) = chunk.choices
        told = (choice.logprobs and choice.logprobs.content) or []
        spelled = bytes(b for token in told for b in token.bytes or [])
        assert spelled.decode().strip() == (choice.delta.content or "").strip()
        tokens += told
    assert whole.choices[0].logprobs
    alone = whole.choices[0].logprobs.content or []
    assert [t.bytes for t in tokens] == [t.bytes for t in alone]
    assert all(
        math.isclose(a.logprob, b.logprob, abs_tol=0.05) for a, b in zip(tokens, alone, strict=True)
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_forced_call_has_the_log_probabilities_of_all_it_is_written_with(
    client: openai.AsyncOpenAI, stream: bool
) -> None:
    town = {"type": "object", "properties": {"town": {"type": "string", "maxLength": 9}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": town}}
    choice = {"type": "function", "function": {"name": "weather"}}
    asked = ask("Is it sunny in Bergen?", logprobs=True, tools=[tool], tool_choice=choice)
    asked |= {"max_tokens": 64, "stream": stream, "parallel_tool_calls": False}
    answer: Any = await client.chat.completions.create(**asked)
    choices = [chunk.choices[0] async for chunk in answer] if stream else [answer.choices[0]]
    told = [t for c in choices for t in (c.logprobs and c.logprobs.content) or []]
    written = bytes(b for token in told for b in token.bytes or []).decode()
    parts = [c.delta if stream else c.message for c in choices]
    called = [call.function for part in parts for call in part.tool_calls or []]
    assert f'"name": "{called[0].name}"' in written
    assert "".join(call.arguments for call in called) in written
    assert all(token.logprob <= 0 for token in told)


async def test_what_was_cached_is_told_also_where_a_stop_string_ends(
    client: openai.AsyncOpenAI,
) -> None:
    asked = ask("Tell a long story of the sea, with many words.", max_tokens=20)
    first = await client.chat.completions.create(**asked)
    word = (first.choices[0].message.content or "").split()[3]
    again = await client.chat.completions.create(**asked, stop=[word])
    text = again.choices[0].message.content or ""
    assert word not in text and (first.choices[0].message.content or "").startswith(text)
    assert again.choices[0].finish_reason == "stop"
    used = again.usage
    assert used and used.prompt_tokens_details
    assert used.prompt_tokens_details.cached_tokens == used.prompt_tokens - 1
    assert used.completion_tokens < 20


async def test_a_thought_ends_at_its_budget_and_an_answer_follows(
    thinker: openai.AsyncOpenAI, vocab: Vocab
) -> None:
    sentence = "That must do."
    answer = await thinker.chat.completions.create(
        **ask(max_tokens=60, logit_bias=endless(vocab)),
        extra_body={"thinking_budget_tokens": 12, "thinking_budget_message": sentence},
    )
    message: Any = answer.choices[0].message
    assert message.reasoning_content.endswith(f"\n\n{sentence}")
    assert message.content
    details: Any = answer.usage and answer.usage.completion_tokens_details
    assert details.reasoning_tokens == 12 + len(vocab.encode(f"\n\n{sentence}\n", special=False))


async def test_a_running_thought_is_stopped_by_the_id_of_its_completion(
    thinker: openai.AsyncOpenAI, vocab: Vocab
) -> None:
    asked = ask(max_tokens=600, logit_bias=endless(vocab))
    thought, answer, stopped = 0, "", None
    stream = await thinker.chat.completions.create(**asked, stream=True)
    async for chunk in stream:
        delta: Any = chunk.choices[0].delta
        thought += bool(getattr(delta, "reasoning_content", None))
        answer += delta.content or ""
        path = f"/chat/completions/{chunk.id}/stop_thinking"
        if thought == 5 and stopped is None:
            stopped = await thinker.post(path, cast_to=dict[str, object])
        if len(answer) > 20:
            break
    await stream.close()
    assert stopped == {"id": chunk.id, "stopped": True}
    assert thought < 200 and answer
    with pytest.raises(openai.NotFoundError):
        await thinker.post("/chat/completions/chatcmpl-0/stop_thinking", cast_to=object)


async def test_a_pinned_prompt_is_computed_once(engine: EngineClient, vocab: Vocab) -> None:
    chat = chat_of(engine, vocab, ChatTemplate.of(vocab))
    rules = Message("system", "Answer in one word. " * 20)
    request = ChatRequest((rules, Message("user", "Who?")), max_tokens=2, pin=True)
    first = chat.prepare(request)
    await chat.complete(first)
    other = chat.prepare(replace(request, messages=(rules, Message("user", "Where is it?"))))
    done = (await chat.complete(other)).done
    assert done.usage.cached_tokens >= first.params.pin > 60


async def test_a_full_queue_is_a_429_that_says_when_to_come_back(
    client: openai.AsyncOpenAI, engine: EngineClient, vocab: Vocab
) -> None:
    # none of them ends while the others come
    long = ask("Tell a story.", max_tokens=3000, stream=True, logit_bias=endless(vocab))
    held = [asyncio.create_task(client.chat.completions.create(**long)) for _ in range(280)]
    try:
        while (await engine.stats())["waiting"] < 256:
            await asyncio.sleep(0.05)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(**ask())
        assert int(caught.value.response.headers["retry-after"]) >= 1
    finally:
        for task in held:
            task.cancel()
        opened = await asyncio.gather(*held, return_exceptions=True)
        for stream in opened:
            if isinstance(stream, openai.AsyncStream):
                await stream.close()
    while (await engine.stats())["waiting"]:
        await asyncio.sleep(0.05)
    again = await client.chat.completions.create(**ask(max_tokens=2))
    assert again.choices[0].message.content


async def test_json_follows_a_thought_that_was_cut_short(thinker: openai.AsyncOpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"town": {"type": "string", "maxLength": 12}},
        "required": ["town"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "town", "schema": schema}}
    answer = await thinker.chat.completions.create(
        **ask(max_tokens=80, response_format=form), extra_body={"thinking_budget_tokens": 10}
    )
    message: Any = answer.choices[0].message
    assert set(json.loads(message.content)) == {"town"}
    assert message.reasoning_content and "<" not in message.reasoning_content


@pytest.mark.parametrize(
    "fields",
    [
        {"grammar": 'root ::= "port " digit digit\ndigit ::= [0-9]'},
        {"grammar": "%llguidance {}\nstart: /port [0-9]{2}/"},
        {"response_format": {"type": "regex", "pattern": "port [0-9]{2}"}},
        {"response_format": {"type": "grammar", "grammar": 'root ::= "port " [0-9]{2}'}},
    ],
)
@pytest.mark.parametrize("n", [1, 2])
async def test_an_answer_matches_its_grammar(
    client: openai.AsyncOpenAI, fields: dict[str, Any], n: int
) -> None:
    answer = await client.chat.completions.create(**ask(temperature=1, n=n), extra_body=fields)
    for choice in answer.choices:
        assert re.fullmatch("port [0-9]{2}", choice.message.content or "")
        assert choice.finish_reason == "stop"
