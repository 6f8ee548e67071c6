"""Every limit of the engine, reached on purpose: what was asked is done or refused, nobody else
notices, and nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, Rollback, Tokens
from edge_agent.errors import ContextOverflow, EngineBusy, GrammarError, RequestError

from .live import GREEDY, all_busy, generate, idle, spec_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 256
N_PARALLEL = 4


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    spec = spec_of(smollm2_path, n_ctx=N_CTX, n_parallel=N_PARALLEL)
    client = EngineClient(spec, notice=print)
    await client.start()
    yield client
    try:
        await at_rest(client)
        assert client.status.restarts == 0
    finally:
        await client.close()


async def at_rest(engine: EngineClient) -> None:
    """Nothing runs, the books agree with llama.cpp, and one prompt can have all cells again."""
    counts = await idle(engine)
    assert counts["slots_wrong"] == 0
    assert counts["cells_free"] + counts["cells_held"] == counts["cells"]
    window = some(N_CTX - 2, random.randrange(10**6))
    assert len((await generate(engine, window, 1, ignore_eos=True))[0]) == 1
    await engine.edit(Rollback(tuple(window), 0))
    counts = await idle(engine)
    assert counts["cells_free"] == counts["cells"]


def some(n: int, seed: int) -> list[int]:
    """Tokens that no other prompt begins with."""
    draw = random.Random(seed)
    return [draw.randrange(1000, 40_000) for _ in range(n)]


async def finish(stream: AsyncIterator[Tokens | Finished]) -> tuple[list[list[int]], list[str]]:
    """The ids of each continuation, and how they ended."""
    ids: dict[int, list[int]] = {}
    ends: list[str] = []
    async for item in stream:
        if isinstance(item, Tokens):
            ids.setdefault(item.index, []).extend(item.ids)
        else:
            ends.append(item.reason)
    return [ids[i] for i in sorted(ids)], ends


@pytest.mark.parametrize("n", [N_CTX, N_CTX + 1, 10 * N_CTX])
async def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers(
    engine: EngineClient, n: int
) -> None:
    with pytest.raises(ContextOverflow, match=rf"{n} tokens.*holds {N_CTX}") as refused:
        await generate(engine, some(n, 1))
    assert (refused.value.n_prompt_tokens, refused.value.n_ctx) == (n, N_CTX)


async def test_the_longest_prompt_of_all_gets_one_token(engine: EngineClient) -> None:
    ids, last = await generate(engine, some(N_CTX - 1, 2), None, ignore_eos=True)
    assert (len(ids), last.reason) == (1, "length")


async def test_more_continuations_than_sequences_are_refused(engine: EngineClient) -> None:
    with pytest.raises(RequestError, match=f"n is {N_PARALLEL + 1}.*{N_PARALLEL}") as refused:
        await finish(engine.submit(some(5, 3), GenerateParams(GREEDY, n=N_PARALLEL + 1)))
    assert refused.value.param == "n"


@pytest.mark.parametrize("n", [0, -1])
async def test_no_continuations_are_refused(engine: EngineClient, n: int) -> None:
    with pytest.raises(RequestError, match=f"n is {n}"):
        await finish(engine.submit(some(5, 4), GenerateParams(GREEDY, n=n)))


async def test_as_many_continuations_as_sequences_all_finish(engine: EngineClient) -> None:
    params = GenerateParams(GREEDY, max_tokens=8, n=N_PARALLEL, ignore_eos=True)
    first, second = await asyncio.gather(
        *(finish(engine.submit(some(20, seed), params)) for seed in (5, 6))
    )
    for ids, ends in (first, second):
        assert ends == ["length"] * N_PARALLEL
        assert [len(each) for each in ids] == [8] * N_PARALLEL
        assert all(each == ids[0] for each in ids)  # greedy: all the same


@pytest.mark.parametrize("grammar", ["start: undefined_rule", "start: /(/", "%%%", '{"grammars":'])
async def test_a_grammar_that_does_not_parse_fails_its_request_only(
    engine: EngineClient, grammar: str
) -> None:
    other = asyncio.ensure_future(generate(engine, some(30, 7), 20, ignore_eos=True))
    with pytest.raises(GrammarError):
        await asyncio.wait_for(generate(engine, some(10, 8), 5, grammar=grammar), 60)
    assert len((await other)[0]) == 20


async def test_a_client_that_never_reads_fills_its_window_and_stalls_nobody(
    engine: EngineClient,
) -> None:
    unread = engine.submit(some(10, 9), GenerateParams(GREEDY, ignore_eos=True))
    await anext(unread)
    ids, _ = await generate(engine, some(10, 10), 20, ignore_eos=True)
    assert len(ids) == 20
    await idle(engine)  # ended by the window, not by its reader
    rest, ends = await finish(unread)
    assert ends == ["length"]
    assert N_CTX - 20 <= len(rest[0]) <= N_CTX


async def test_hundreds_at_once_are_answered_and_the_rest_told_when_to_come_back(
    engine: EngineClient,
) -> None:
    async with all_busy(engine, N_PARALLEL):
        asks = (generate(engine, some(2, 2000 + i), 1, ignore_eos=True) for i in range(280))
        asked = [asyncio.ensure_future(ask) for ask in asks]
        await asyncio.sleep(0)
        assert (await engine.stats())["waiting"] < 280  # it hears in order: of all of them by now
    done = await asyncio.gather(*asked, return_exceptions=True)
    refused = [item for item in done if isinstance(item, BaseException)]
    answered = [item for item in done if not isinstance(item, BaseException)]
    assert 0 < len(refused) < 80
    assert [len(ids) for ids, _ in answered] == [1] * (280 - len(refused))
    for error in refused:
        assert isinstance(error, EngineBusy)
        assert error.retry_after_s > 0
    await idle(engine)


async def test_large_requests_that_exceed_the_cells_many_times_all_finish(
    engine: EngineClient,
) -> None:
    asked = (generate(engine, some(200, 3000 + i), 12, ignore_eos=True) for i in range(6))
    done = await asyncio.wait_for(asyncio.gather(*asked), 240)
    assert [(len(ids), last.reason) for ids, last in done] == [(12, "length")] * 6
    await idle(engine)


async def test_generations_that_grow_past_the_cells_all_finish(engine: EngineClient) -> None:
    asked = (generate(engine, some(40, 4000 + i), 80, ignore_eos=True) for i in range(4))
    done = await asyncio.wait_for(asyncio.gather(*asked), 240)
    assert [(len(ids), last.reason) for ids, last in done] == [(80, "length")] * 4
    await idle(engine)


async def test_forks_of_large_prompts_that_exceed_the_cells_all_finish(
    engine: EngineClient,
) -> None:
    params = GenerateParams(GREEDY, max_tokens=40, n=3, ignore_eos=True)
    asked = (finish(engine.submit(some(150, 5000 + i), params)) for i in range(2))
    for ids, ends in await asyncio.wait_for(asyncio.gather(*asked), 240):
        assert ends == ["length"] * 3
        assert [len(each) for each in ids] == [40] * 3
    await idle(engine)


async def test_many_cancelled_at_once_leave_nothing(engine: EngineClient) -> None:
    draw = random.Random(11)
    params = GenerateParams(GREEDY, n=2, ignore_eos=True)

    async def give_up(seed: int) -> None:
        task = asyncio.ensure_future(finish(engine.submit(some(60, seed), params)))
        await asyncio.sleep(draw.random())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(give_up(6000 + i) for i in range(16)))
    await at_rest(engine)
