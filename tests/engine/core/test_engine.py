"""The engine against a real model, in its real process."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, SamplingParams, Tokens
from edge_agent.errors import ContextOverflow, GrammarError, RequestError

from ..live import GREEDY, N_CTX, chat, generate, idle, spec_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    """One for all: a test that breaks it is in test_client.py."""
    client = EngineClient(spec_of(smollm2_path), notice=print, restart_s=(0.0,))
    await client.start()
    yield client
    assert client.status.restarts == 0
    await client.close()


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


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
    story = "Once there was a lamp on the pier. " * 20
    _, first = await generate(engine, chat(vocab, story + "Who lit it?"), 4)
    _, second = await generate(engine, chat(vocab, story + "Where was it?"), 4)
    assert first.usage.cached_tokens < 10
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 20


async def test_a_prefix_is_shared_from_a_busy_sequence(engine: EngineClient, vocab: Vocab) -> None:
    story = "Once there was a lamp on the pier. " * 20
    params = GenerateParams(GREEDY, max_tokens=200, ignore_eos=True)
    busy = engine.submit(chat(vocab, story + "Who lit it?"), params)
    await anext(busy)
    _, second = await generate(engine, chat(vocab, story + "Where was it?"), 2)
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 20
    await busy.aclose()


async def test_closing_a_stream_frees_its_cells(engine: EngineClient, vocab: Vocab) -> None:
    before = await idle(engine)
    stream = engine.submit(chat(vocab, "Tell a long story."), GenerateParams(GREEDY))
    await anext(stream)
    await stream.aclose()
    assert before["cells_free"] - (await idle(engine))["cells_free"] < 100


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
    with pytest.raises(GrammarError, match="no text satisfies it"):
        await generate(engine, chat(vocab, "Hi"), 5, grammar='start: %json {"$ref": "#"}')
    assert (await generate(engine, chat(vocab, "Hi"), 5))[0]


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingParams(repeat_penalty=1.3, penalty_last_n=2**31 - 1),
        SamplingParams(repeat_penalty=1e-6, penalty_last_n=0),
        SamplingParams(presence_penalty=2, frequency_penalty=2),
        SamplingParams(logit_bias=((5, 1e308), (6, -1e308))),
        SamplingParams(temperature=1e30, top_k=1, top_p=0, min_p=1, typical_p=0.01),
        SamplingParams(temperature=1e-30, top_k=2**31 - 1, typical_p=0),
    ],
)
async def test_every_sampler_is_one_that_llama_cpp_takes(
    engine: EngineClient, vocab: Vocab, sampling: SamplingParams
) -> None:
    params = GenerateParams(sampling, max_tokens=4, ignore_eos=True)
    items = [item async for item in engine.submit(chat(vocab, "Hi"), params)]
    assert isinstance(items[-1], Finished) and items[-1].usage.completion_tokens == 4
    assert engine.status.restarts == 0


async def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers(
    engine: EngineClient,
) -> None:
    with pytest.raises(ContextOverflow) as refused:
        await generate(engine, [1] * (N_CTX + 5))
    assert (refused.value.n_prompt_tokens, refused.value.n_ctx) == (N_CTX + 5, N_CTX)


def strange(n: int, seed: int = 1) -> list[int]:
    """Tokens that no other test has left in the cache."""
    draw = random.Random(seed)
    return [draw.randrange(1000, 40_000) for _ in range(n)]


async def test_a_prompt_with_a_token_that_does_not_exist_is_refused(engine: EngineClient) -> None:
    n_vocab = engine.info.n_vocab
    for wrong in ([n_vocab], [-1], [1, 2**31], [2**70], [1.5]):
        with pytest.raises(RequestError, match=f"0 to {n_vocab - 1}"):
            await generate(engine, wrong)  # type: ignore[arg-type]
    assert (await generate(engine, [n_vocab - 1], 2))[1].usage.completion_tokens == 2


@pytest.mark.parametrize(
    ("sampling", "param"),
    [
        (SamplingParams(logit_bias=((10**9, 1.0),)), "logit_bias"),
        (SamplingParams(logit_bias=((5, float("nan")),)), "logit_bias"),
        (SamplingParams(temperature=float("nan")), "temperature"),
        (SamplingParams(repeat_penalty=0.0), "repeat_penalty"),
        (SamplingParams(presence_penalty=float("inf")), "presence_penalty"),
    ],
)
async def test_sampling_that_would_spoil_the_logits_is_refused(
    engine: EngineClient, sampling: SamplingParams, param: str
) -> None:
    with pytest.raises(RequestError) as refused:
        await generate(engine, [1, 2, 3], sampling=sampling)
    assert refused.value.param == param


async def test_no_tokens_wanted_no_tokens_given(engine: EngineClient, vocab: Vocab) -> None:
    ids, last = await generate(engine, chat(vocab, "Hi"), 0)
    assert (ids, last.reason, last.usage.completion_tokens) == ([], "length", 0)
    with pytest.raises(RequestError, match="negative"):
        await generate(engine, chat(vocab, "Hi"), -1)


async def test_a_stop_id_ends_the_stream_and_is_not_part_of_it(
    engine: EngineClient, vocab: Vocab
) -> None:
    prompt = chat(vocab, "Count to nine.")
    ids, _ = await generate(engine, prompt, 12)
    stop = ids[5]
    stopped, last = await generate(engine, prompt, 12, stop_ids=(stop,))
    assert stopped == ids[: ids.index(stop)]
    assert last.reason == "stop"


async def test_a_biased_token_is_never_or_always_drawn(engine: EngineClient, vocab: Vocab) -> None:
    prompt = chat(vocab, "Count to nine.")
    (first,), _ = await generate(engine, prompt, 1)
    never = SamplingParams(temperature=0, logit_bias=((first, -1000.0),))
    always = SamplingParams(temperature=0, logit_bias=((77, 1000.0),))
    assert (await generate(engine, prompt, 1, sampling=never))[0] != [first]
    assert (await generate(engine, prompt, 3, sampling=always))[0] == [77] * 3


@pytest.mark.parametrize("seed", [0xFFFFFFFF, 2**32 + 7, 2**64, -1])
async def test_every_whole_number_is_a_seed(engine: EngineClient, vocab: Vocab, seed: int) -> None:
    sampling = SamplingParams(temperature=2.0, seed=seed)
    prompt = chat(vocab, "Write a poem.")
    await generate(engine, prompt, 1)
    runs = [(await generate(engine, prompt, 8, sampling=sampling))[0] for _ in range(2)]
    assert runs[0] == runs[1]


async def test_usage_counts_and_times_add_up(engine: EngineClient) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, last = await generate(engine, strange(200, 2), 20, ignore_eos=True)
    took, usage = loop.time() - began, last.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (200, 0, 20)
    assert usage.prompt_s > 0
    assert usage.predict_s > 0
    assert usage.prompt_s + usage.predict_s <= took


async def test_a_dropped_stream_is_cancelled(engine: EngineClient) -> None:
    stream = engine.submit(strange(20, 3), GenerateParams(GREEDY, ignore_eos=True))
    await anext(stream)
    del stream
    gc.collect()
    await idle(engine)


async def test_a_stream_nobody_reads_is_never_started(engine: EngineClient) -> None:
    stream = engine.submit(strange(20, 4), GenerateParams(GREEDY, ignore_eos=True))
    await asyncio.sleep(0.05)
    await idle(engine)
    await stream.aclose()


async def test_a_request_that_still_waits_can_be_cancelled(engine: EngineClient) -> None:
    forever = GenerateParams(GREEDY, ignore_eos=True)
    busy = [engine.submit(strange(5, 10 + i), forever) for i in range(4)]
    for stream in busy:
        await anext(stream)
    waiting = engine.submit(strange(5, 20), forever)
    first = asyncio.ensure_future(anext(waiting))
    while not (await engine.stats())["waiting"]:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    counts = await engine.stats()
    assert (counts["waiting"], counts["running"]) == (0, 4)
    for stream in busy:
        await stream.aclose()
    await idle(engine)


async def test_a_large_prompt_runs_beside_the_one_whose_prefix_it_shares(
    engine: EngineClient,
) -> None:
    prefix = strange(1040, 5)
    busy = engine.submit([*prefix, 5], GenerateParams(GREEDY, ignore_eos=True))
    await anext(busy)
    _, second = await generate(engine, [*prefix, 6], 2)
    assert second.usage.cached_tokens == 1040
    assert (await engine.stats())["running"] == 1  # the first had not to end for it
    await busy.aclose()


async def test_others_go_on_while_a_grammar_is_compiled(engine: EngineClient, vocab: Vocab) -> None:
    await generate(engine, chat(vocab, "Who?"), 2, grammar='start: "a" | "b"')
    words = " | ".join(f'"w{i}"' for i in range(300_000))  # takes a second
    grammar = f"start: WORD\nWORD: {words}"
    slow = asyncio.ensure_future(generate(engine, chat(vocab, "Hi"), 3, grammar=grammar))
    await asyncio.sleep(0.05)
    ids, _ = await generate(engine, chat(vocab, "Count to nine."), 5)
    assert len(ids) == 5
    assert (await engine.stats())["running"] == 1
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await idle(engine)
