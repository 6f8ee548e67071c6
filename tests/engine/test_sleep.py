"""An engine that nobody wants is ended, and is there again for the next request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.engine.child import STOP_S, Child
from edge_agent.engine.client import EngineClient
from edge_agent.engine.counts import Counts
from edge_agent.engine.params import Finished, GenerateParams, LoadSpec, Tokens
from edge_agent.errors import EngineCrashed, ModelLoadError
from tests import patience
from tests.patience import HANG_S, is_gone, strike

from . import hosted, scripted
from .live import GREEDY, spec_of

ONE = GenerateParams(GREEDY, max_tokens=2)
IDLE_S = 0.15
IN_TIME_S = STOP_S  # which an engine has that is asked to end


async def collect(client: EngineClient, prompt: tuple[int, ...] = (1,)) -> list[Any]:
    return [item async for item in client.submit(prompt, ONE)]


async def until(client: EngineClient, state: str) -> None:
    await patience.until(lambda: client.status.state == state)


@pytest.fixture
async def sleepy() -> AsyncIterator[EngineClient]:
    client = scripted.client_of("good", sleep_after_s=IDLE_S)
    await client.start()
    yield client
    await client.close()


async def test_an_idle_engine_ends_and_its_memory_with_it(sleepy: EngineClient) -> None:
    pid = sleepy.status.pid
    assert pid
    await until(sleepy, "sleeping")
    status = sleepy.status
    assert (status.pid, status.restarts, status.detail) == (None, 0, "")
    await patience.until(lambda: is_gone(pid))


async def test_the_next_request_loads_it_and_is_answered(sleepy: EngineClient) -> None:
    for _ in range(3):
        await until(sleepy, "sleeping")
        items = await asyncio.wait_for(collect(sleepy), HANG_S)
        assert [type(item) for item in items] == [Tokens, Finished]
        assert (sleepy.status.state, sleepy.status.restarts) == ("ready", 0)


async def test_requests_that_come_while_it_wakes_all_wait_for_it(sleepy: EngineClient) -> None:
    await until(sleepy, "sleeping")
    answers = await asyncio.wait_for(asyncio.gather(*(collect(sleepy) for _ in range(20))), HANG_S)
    assert all(isinstance(items[-1], Finished) for items in answers)


async def test_one_that_comes_at_the_moment_it_falls_asleep_is_answered(
    sleepy: EngineClient,
) -> None:
    for i in range(12):  # at every moment around the end of the idle time
        await asyncio.sleep(IDLE_S - 0.012 + i * 0.002)
        assert isinstance((await asyncio.wait_for(collect(sleepy), HANG_S))[-1], Finished)
    assert sleepy.status.restarts == 0


async def test_a_stream_keeps_it_awake() -> None:
    client = scripted.client_of("begins", sleep_after_s=IDLE_S)
    await client.start()
    try:
        stream = client.submit([1], ONE)
        await anext(stream)
        await asyncio.sleep(3 * IDLE_S)
        assert client.status.state == "ready"
        await stream.aclose()
        await until(client, "sleeping")
    finally:
        await client.close()


async def test_who_uses_it_keeps_it_awake(sleepy: EngineClient) -> None:
    await until(sleepy, "sleeping")
    with sleepy.use():
        await until(sleepy, "waking")
        await until(sleepy, "ready")
        await asyncio.sleep(3 * IDLE_S)
        assert sleepy.status.state == "ready"
    await until(sleepy, "sleeping")


async def test_looking_neither_wakes_it_nor_keeps_it_awake(sleepy: EngineClient) -> None:
    async def look() -> None:
        while sleepy.status.state != "sleeping":
            await sleepy.counts()
            await sleepy.running()
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), HANG_S)
    assert await sleepy.counts() == Counts(requests=1)
    assert await sleepy.running() == ()
    await asyncio.sleep(2 * IDLE_S)
    assert sleepy.status.state == "sleeping"


async def test_counts_go_on_over_its_lives(sleepy: EngineClient) -> None:
    for life in (1, 2, 3):
        await until(sleepy, "sleeping")
        assert (await sleepy.counts()).requests == life
        await collect(sleepy)


async def test_an_engine_that_never_idles_is_never_ended() -> None:
    client = scripted.client_of("good")
    await client.start()
    try:
        await asyncio.sleep(3 * IDLE_S)
        assert client.status.state == "ready"
    finally:
        await client.close()


async def test_one_that_dies_is_restarted_as_ever(sleepy: EngineClient) -> None:
    with sleepy.use():
        strike(sleepy.status.pid)
        await patience.until(lambda: sleepy.status.restarts == 1)
        assert isinstance((await asyncio.wait_for(collect(sleepy), HANG_S))[-1], Finished)
        assert sleepy.status.restarts == 1
    await until(sleepy, "sleeping")


async def test_one_that_cannot_be_loaded_again_says_why_and_is_tried_again() -> None:
    spec = LoadSpec("good", n_ctx=8, n_batch=8, n_parallel=1, n_threads=1)
    born = 0

    async def spawn(spec: LoadSpec) -> Child:
        nonlocal born
        born += 1
        if born == 2:
            raise OSError("Cannot allocate memory")
        return await Child.spawn(spec, scripted.COMMAND)

    client = EngineClient(spec, lambda _: None, restart_s=(0.3,), spawn=spawn, sleep_after_s=IDLE_S)
    await client.start()
    try:
        await until(client, "sleeping")
        with pytest.raises(ModelLoadError, match="Cannot allocate memory"):
            await asyncio.wait_for(collect(client), HANG_S)
        # unasked; and it may have fallen asleep again by now
        await patience.until(lambda: born == 3 and client.status.state in ("ready", "sleeping"))
        assert isinstance((await asyncio.wait_for(collect(client), HANG_S))[-1], Finished)
    finally:
        await client.close()


async def test_closing_one_that_sleeps_is_quick_and_final(sleepy: EngineClient) -> None:
    await until(sleepy, "sleeping")
    await asyncio.wait_for(sleepy.close(), IN_TIME_S)
    with pytest.raises(EngineCrashed, match="closed"):
        await collect(sleepy)


async def test_what_it_was_writing_is_written_before_it_sleeps(tmp_path: Path) -> None:
    left = tmp_path / "left"
    client = hosted.client_of(f"writes {left}", sleep_after_s=IDLE_S)
    await client.start()
    try:
        await until(client, "sleeping")
        await patience.until(lambda: left.exists() and bool(left.read_text()))
        assert left.read_text() == "to the end"
    finally:
        await client.close()


async def test_a_pinned_prefix_is_there_after_a_sleep(smollm2_path: Path, tmp_path: Path) -> None:
    spec = spec_of(smollm2_path, cache_dir=str(tmp_path))
    client = EngineClient(spec, lambda _: None, sleep_after_s=0.5)
    prompt = tuple(range(100, 400))
    pinned = GenerateParams(GREEDY, max_tokens=2, pin=256)
    await client.start()
    try:
        first = [item async for item in client.submit(prompt, pinned)]
        await until(client, "sleeping")
        again = [item async for item in client.submit(prompt, pinned)]
    finally:
        await client.close()
    assert isinstance(last := again[-1], Finished) and isinstance(first[-1], Finished)
    assert last.usage.cached_tokens >= 256
    ids = [
        [i for item in items if isinstance(item, Tokens) for i in item.ids]
        for items in (first, again)
    ]
    assert ids[0] == ids[1]
