"""The engine against a real model, in its real process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, LoadSpec, SamplingParams, Tokens
from edge_agent.errors import ContextOverflow, EngineCrashed, GrammarError, ModelLoadError

GREEDY = SamplingParams(temperature=0)
N_CTX = 2048


def spec_of(path: Path, **changes: int) -> LoadSpec:
    defaults = {"n_ctx": N_CTX, "n_batch": 256, "n_parallel": 4, "n_threads": 2}
    return LoadSpec(path=str(path), **{**defaults, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient(spec_of(smollm2_path), notice=print, restart_s=(0.0,))
    await client.start()
    yield client
    await client.close()


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


def chat(vocab: Vocab, text: str) -> list[int]:
    return vocab.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")


async def generate(
    engine: EngineClient, prompt: list[int], n: int = 24, **params: object
) -> tuple[list[int], Finished]:
    ids: list[int] = []
    request = GenerateParams(GREEDY, max_tokens=n, **params)  # type: ignore[arg-type]
    async for item in engine.submit(prompt, request):
        if isinstance(item, Finished):
            return ids, item
        ids.extend(item.ids)
    raise AssertionError("the stream ended without Finished")


async def idle(engine: EngineClient) -> dict[str, int]:
    """The engine's counts once nothing runs; fails after two seconds."""
    for _ in range(100):
        counts = await engine.stats()
        if counts["running"] == counts["waiting"] == counts["slots_busy"] == 0:
            return counts
        await asyncio.sleep(0.02)
    raise AssertionError(f"still busy: {counts}")


async def test_same_greedy_ids_alone_and_in_a_batch(engine: EngineClient, vocab: Vocab) -> None:
    prompts = [chat(vocab, f"Count to {n}.") for n in ("three", "four", "five", "six", "nine")]
    alone = [(await generate(engine, prompt, 16))[0] for prompt in prompts]
    together = await asyncio.gather(*(generate(engine, prompt, 16) for prompt in prompts))
    # a batch of another size rounds differently: equal up to the first tie, and never another text
    same = sum(ids == expected for (ids, _), expected in zip(together, alone, strict=True))
    assert same >= 4
    assert all(ids[:3] == expected[:3] for (ids, _), expected in zip(together, alone, strict=True))


async def test_a_second_request_computes_only_what_the_first_did_not(
    engine: EngineClient, vocab: Vocab
) -> None:
    story = "Once there was a lamp on the pier. " * 40
    _, first = await generate(engine, chat(vocab, story + "Who lit it?"), 4)
    _, second = await generate(engine, chat(vocab, story + "Where was it?"), 4)
    assert first.usage.cached_tokens < 10
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 20


async def test_a_prefix_is_shared_from_a_busy_sequence(engine: EngineClient, vocab: Vocab) -> None:
    story = "Once there was a lamp on the pier. " * 40
    params = GenerateParams(GREEDY, max_tokens=200, ignore_eos=True)
    busy = engine.submit(chat(vocab, story + "Who lit it?"), params)
    await anext(busy)
    _, second = await generate(engine, chat(vocab, story + "Where was it?"), 2)
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 20
    await busy.aclose()


async def test_closing_a_stream_frees_its_cells(engine: EngineClient, vocab: Vocab) -> None:
    stream = engine.submit(chat(vocab, "Tell a long story."), GenerateParams(GREEDY))
    await anext(stream)
    await stream.aclose()
    counts = await idle(engine)
    assert counts["cells"] - counts["cells_free"] < 100


async def test_cancel_in_a_prefill_comes_back_at_once_and_leaves_others_alone(
    engine: EngineClient, vocab: Vocab
) -> None:
    expected, _ = await generate(engine, chat(vocab, "Count to nine."), 12)
    long = engine.submit(chat(vocab, "word " * 1500), GenerateParams(GREEDY, max_tokens=5))
    first = asyncio.ensure_future(anext(long))
    await asyncio.sleep(0.1)
    other = asyncio.ensure_future(generate(engine, chat(vocab, "Count to nine."), 12))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await long.aclose()
    assert (await other)[0][:3] == expected[:3]
    await idle(engine)


async def test_same_seed_same_tokens(engine: EngineClient, vocab: Vocab) -> None:
    prompt = chat(vocab, "Write a poem.")

    async def draw(seed: int) -> list[int]:
        ids: list[int] = []
        params = GenerateParams(SamplingParams(temperature=1.5, seed=seed), max_tokens=12)
        async for item in engine.submit(prompt, params):
            ids += item.ids if isinstance(item, Tokens) else ()
        return ids

    await draw(0)  # the prefix is now cached, so that every later run computes the same batches
    assert await draw(1) == await draw(1)
    assert await draw(1) != await draw(2)


async def test_a_grammar_binds_every_token_and_forced_ones_are_fed(
    engine: EngineClient, vocab: Vocab
) -> None:
    grammar = 'start: "The keeper of the lighthouse is called " /[A-Z][a-z]{2,8}/ "."'
    ids, last = await generate(engine, chat(vocab, "Who?"), 60, grammar=grammar)
    text = b"".join(vocab.piece(id) for id in ids).decode()
    assert text.startswith("The keeper of the lighthouse is called ")
    assert text.endswith(".")
    assert last.reason == "stop"
    assert last.usage.forced_tokens >= 4


async def test_a_grammar_that_does_not_parse_fails_that_request_only(
    engine: EngineClient, vocab: Vocab
) -> None:
    with pytest.raises(GrammarError):
        await generate(engine, chat(vocab, "Hi"), 5, grammar="start: undefined_rule")
    assert (await generate(engine, chat(vocab, "Hi"), 5))[0]


async def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers(
    engine: EngineClient,
) -> None:
    with pytest.raises(ContextOverflow) as refused:
        await generate(engine, [1] * (N_CTX + 5))
    assert (refused.value.n_prompt_tokens, refused.value.n_ctx) == (N_CTX + 5, N_CTX)


async def test_requests_too_large_to_run_together_all_finish(
    smollm2_path: Path, vocab: Vocab
) -> None:
    client = EngineClient(spec_of(smollm2_path, n_ctx=512), notice=print)
    await client.start()
    try:
        prompts = [chat(vocab, f"{i} " + "word " * 220) for i in range(4)]
        params = {"n": 60, "ignore_eos": True}
        done = await asyncio.gather(*(generate(client, p, **params) for p in prompts))  # type: ignore[arg-type]
        assert [len(ids) for ids, _ in done] == [60] * 4
        await idle(client)
    finally:
        await client.close()


async def test_generation_ends_with_length_when_the_window_is_full(
    smollm2_path: Path, vocab: Vocab
) -> None:
    client = EngineClient(spec_of(smollm2_path, n_ctx=256), notice=print)
    await client.start()
    try:
        prompt = chat(vocab, "word " * 200)
        ids, last = await generate(client, prompt, n=1000, ignore_eos=True)
        assert last.reason == "length"
        assert len(prompt) + len(ids) <= 256
    finally:
        await client.close()


async def test_a_killed_engine_fails_its_requests_and_answers_the_next(
    engine: EngineClient, vocab: Vocab
) -> None:
    stream = engine.submit(chat(vocab, "Tell a story."), GenerateParams(GREEDY, ignore_eos=True))
    await anext(stream)
    pid = engine.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineCrashed, match="SIGKILL"):
        async for _ in stream:
            pass
    assert (await generate(engine, chat(vocab, "Hi"), 5))[0]
    assert engine.status.restarts == 1
    assert engine.status.pid != pid


async def test_the_engine_ends_with_its_server(smollm2_path: Path) -> None:
    client = EngineClient(spec_of(smollm2_path), notice=print)
    await client.start()
    pid = client.status.pid
    assert pid is not None
    await client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_file_that_is_no_model_is_one_sentence_naming_it(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(200))
    client = EngineClient(spec_of(path), notice=print)
    with pytest.raises(ModelLoadError, match=r"broken\.gguf"):
        await client.start()
    assert client.status.state == "failed"
    await client.close()
