"""Plain text the whole way down: HTTP, a real engine process, a real model."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.server.app import create_app
from edge_agent.server.services import Services
from tests.server.fakes import FakeAgent

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX, N_BATCH = 512, 32
LONG = "the quick brown fox jumps over the lazy dog " * 8


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(smollm2_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    spec = LoadSpec(str(smollm2_path), N_CTX, N_BATCH, n_parallel=2, n_threads=1)
    engine, vocab = EngineClient(spec, notice=print), Vocab.load(smollm2_path)
    await engine.start()
    sampling = SamplingParams(seed=42, temperature=0.8)
    chat = ChatModel("small", vocab, engine, ChatTemplate.of(vocab), N_CTX, sampling)
    app = create_app(Services(chat, FakeAgent(), texts=chat.texts))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        yield asking
    await engine.close()
    vocab.close()


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer


async def stream(client: httpx.AsyncClient, path: str, **body: Any) -> list[Any]:
    answer = await post(client, path, stream=True, **body)
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def test_a_text_goes_on_and_ids_say_the_same(client: httpx.AsyncClient) -> None:
    asked = {"n_predict": 8, "temperature": 0, "return_tokens": True}
    told = (await post(client, "/completion", prompt="Once upon a", **asked)).json()
    assert told["stop_type"] == "limit" and len(told["tokens"]) == 8
    ids = (await post(client, "/tokenize", content="Once upon a")).json()["tokens"]
    both = (await post(client, "/completion", prompt=[ids, "Once upon a"], **asked)).json()
    assert [one["content"] for one in both] == [told["content"]] * 2


async def test_the_prompts_progress_is_told_from_the_cached_part_to_its_end(
    client: httpx.AsyncClient,
) -> None:
    chunks = await stream(
        client,
        "/completion",
        prompt=LONG,
        n_predict=2,
        timings_per_token=True,
        return_progress=True,
    )
    told = [chunk for chunk in chunks if "prompt_progress" in chunk]
    progress = [chunk["prompt_progress"] for chunk in told]
    assert progress[0]["processed"] == progress[0]["cache"] and len(progress) > 2
    assert progress[-1]["processed"] == progress[-1]["total"] > 2 * N_BATCH
    steps = [each["processed"] for each in progress]
    assert steps == sorted(set(steps))
    assert told[0]["timings"]["prompt_ms"] == 0 < told[-1]["timings"]["prompt_ms"]
    again = await stream(client, "/completion", prompt=LONG, n_predict=1, return_progress=True)
    cached = [chunk["prompt_progress"] for chunk in again if "prompt_progress" in chunk]
    assert len(cached) == 2 and cached[0]["cache"] > N_BATCH


async def test_the_probabilities_of_the_draw_are_those_after_sampling(
    client: httpx.AsyncClient,
) -> None:
    asked = {"prompt": "The sky is", "n_predict": 4, "n_probs": 10, "seed": 7}
    plain = (await post(client, "/completion", temperature=0.5, **asked)).json()
    drawn = await post(client, "/completion", temperature=0.5, post_sampling_probs=True, **asked)
    narrow = await post(client, "/completion", top_k=3, post_sampling_probs=True, **asked)
    first, after = (one["completion_probabilities"][0] for one in (plain, drawn.json()))
    # at half the temperature probabilities are those of doubled logarithms
    ratios = [
        2 * (a["logprob"] - b["logprob"]) - (math.log(c["prob"]) - math.log(d["prob"]))
        for a, b, c, d in zip(
            first["top_logprobs"],
            first["top_logprobs"][1:],
            after["top_probs"],
            after["top_probs"][1:],
            strict=False,
        )
    ]
    assert all(abs(ratio) < 1e-2 for ratio in ratios)
    for token in narrow.json()["completion_probabilities"]:
        assert len(token["top_probs"]) == 3
        assert sum(top["prob"] for top in token["top_probs"]) == pytest.approx(1)


async def test_a_greedy_draw_was_certain(client: httpx.AsyncClient) -> None:
    told = await post(
        client,
        "/completion",
        prompt="The sky is",
        n_predict=2,
        n_probs=3,
        temperature=0,
        post_sampling_probs=True,
    )
    for token in told.json()["completion_probabilities"]:
        assert token["prob"] == 1 and [top["prob"] for top in token["top_probs"]] == [1]


async def test_ends_are_passed_over_where_they_are_to_be(client: httpx.AsyncClient) -> None:
    hello = [{"role": "user", "content": "Hi"}]
    prompt = (await post(client, "/apply-template", messages=hello)).json()["prompt"]
    asked = {"prompt": prompt, "n_predict": 60}
    ended = (await post(client, "/completion", temperature=0, **asked)).json()
    went_on = (await post(client, "/completion", temperature=0, ignore_eos=True, **asked)).json()
    assert ended["stop_type"] == "eos" and ended["tokens_predicted"] < 60
    assert went_on["stop_type"] == "limit" and went_on["tokens_predicted"] == 60


async def test_a_required_call_is_streamed_in_pieces(client: httpx.AsyncClient) -> None:
    parameters = {"type": "object", "properties": {"town": {"type": "string", "maxLength": 20}}}
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {**parameters, "required": ["town"]}},
    }
    chunks = await stream(
        client,
        "/v1/chat/completions",
        messages=[{"role": "user", "content": "The weather in Oslo?"}],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        max_tokens=80,
    )
    calls = [c for chunk in chunks for c in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["function"] == {"name": "weather", "arguments": ""} and len(calls) > 2
    assert "town" in json.loads("".join(call["function"]["arguments"] for call in calls))
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_without_the_cache_a_request_has_the_same_bits_whatever_came_before(
    client: httpx.AsyncClient,
) -> None:
    asked = {"prompt": LONG, "n_predict": 12, "n_probs": 3, "temperature": 0.8, "seed": 3}
    first = (await post(client, "/completion", cache_prompt=False, **asked)).json()
    await post(client, "/completion", prompt=LONG[: len(LONG) // 2] + " sleeps", n_predict=20)
    await post(client, "/completion", **asked)
    again = (await post(client, "/completion", cache_prompt=False, **asked)).json()
    assert again["completion_probabilities"] == first["completion_probabilities"]
    assert (again["timings"]["cache_n"], first["timings"]["cache_n"]) == (0, 0)
