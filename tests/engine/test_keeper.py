"""Races in the life of the engine process, against one that needs no model."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from edge_agent.engine import keeper
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, Park, Rollback, Tokens
from edge_agent.errors import EdgeAgentError, EngineCrashed, ModelLoadError
from tests.patience import HANG_S, is_gone, strike, until

from .live import GREEDY, spec_of
from .scripted import client_of

ONE = GenerateParams(GREEDY, max_tokens=2)
# an engine that must be killed takes less than half of it, a keeper that does not end takes more
CLOSE_S = keeper.CLOSE_S - 1
CYCLES = 200


async def collect(client: EngineClient, params: GenerateParams = ONE) -> list[Any]:
    return [item async for item in client.submit([1], params)]


async def ready_again(client: EngineClient, restarts: int) -> None:
    """Wait for so many restarts. "restarting" itself is over in a moment, and may be missed."""
    await until(lambda: client.status.restarts >= restarts and client.status.state == "ready")


def kill(client: EngineClient) -> None:
    strike(client.status.pid)


@pytest.fixture
async def begun() -> AsyncIterator[EngineClient]:
    """Every request gets one token and then waits; questions wait from the start."""
    client = client_of("begins", restart_s=(60.0,))
    await client.start()
    yield client
    await client.close()


async def test_a_killed_engine_answers_everybody_with_one_sentence(begun: EngineClient) -> None:
    stream = begun.submit([1], GenerateParams(GREEDY, name="mine"))
    assert isinstance(await anext(stream), Tokens)
    waiting = [
        asyncio.ensure_future(ask)
        for ask in (
            anext(stream),
            begun.stats(),
            begun.stop_thinking("mine"),
            begun.edit(Rollback((1, 2), 1)),
            begun.edit(Park("mine", (1, 2))),
        )
    ]
    await asyncio.sleep(0.05)
    kill(begun)
    failed = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), HANG_S)
    assert [type(error) for error in failed] == [EngineCrashed] * len(waiting)
    assert {str(error) for error in failed} == {
        "The engine process died of signal SIGKILL. It is being restarted: send the request again."
    }
    assert not await asyncio.wait_for(begun.stop_thinking("mine"), HANG_S)  # its stream has ended


async def test_what_is_asked_at_the_very_moment_of_death_is_answered() -> None:
    client = client_of("good")
    await client.start()
    try:
        for n in range(1, 11):
            kill(client)
            asked: list[Coroutine[Any, Any, Any]] = [client.stats() for _ in range(3)]
            asked += [collect(client) for _ in range(3)]
            done = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), HANG_S)
            assert all(isinstance(item, dict | list | EngineCrashed) for item in done)
            await ready_again(client, n)
    finally:
        await client.close()


async def test_who_waited_for_a_restart_that_died_again_is_answered_by_the_next() -> None:
    # the waiter wakes when the engine is ready; the engine is gone again before it has asked
    client = client_of("good")
    await client.start()
    try:
        kill(client)
        await until(lambda: client.status.restarts == 1)
        waiting = [asyncio.ensure_future(client.stats()) for _ in range(5)]
        await ready_again(client, 1)
        kill(client)
        done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), HANG_S)
        assert all(isinstance(item, dict | EngineCrashed) for item in done)
    finally:
        await client.close()


async def test_a_request_that_kills_every_engine_slows_the_restarts_down() -> None:
    loop, deaths = asyncio.get_running_loop(), list[float]()
    client = client_of("dies", restart_s=(0.0, 0.3), notice=lambda _: deaths.append(loop.time()))
    await client.start()
    for _ in range(3):
        with pytest.raises(EngineCrashed, match=r"exit code 3 \(last words: it hurt\)"):
            await asyncio.wait_for(collect(client), HANG_S)
    assert len(deaths) == 3 and deaths[2] - deaths[1] >= 0.29
    assert client.status.restarts == 3
    await client.close()


async def test_an_answer_that_cannot_be_read_is_an_error_and_the_engine_starts_again() -> None:
    client = client_of("babbles", restart_s=(0.0,))
    await client.start()
    with pytest.raises(EngineCrashed, match="could not be kept"):
        await asyncio.wait_for(collect(client), HANG_S)
    await until(lambda: client.status.state == "ready")
    await client.close()


async def test_dying_while_loading_is_an_error_of_loading() -> None:
    client = client_of("dies loading")
    with pytest.raises(ModelLoadError, match="exit code 5"):
        await asyncio.wait_for(client.start(), HANG_S)
    await asyncio.wait_for(client.close(), CLOSE_S)


async def test_a_stream_closed_as_the_engine_dies_ends_quietly() -> None:
    client = client_of("dies on cancel")
    await client.start()
    for n in range(1, 4):
        stream = client.submit([1], ONE)
        await anext(stream)
        await asyncio.wait_for(stream.aclose(), HANG_S)
        await ready_again(client, n)
    await client.close()


async def test_a_stream_of_several_ends_with_the_last_of_them(begun: EngineClient) -> None:
    client = client_of("good")
    await client.start()
    stream = client.submit([1], GenerateParams(GREEDY, n=2))
    items = [await anext(stream) for _ in range(2)]
    assert isinstance(items[-1], Finished)
    with pytest.raises(asyncio.TimeoutError):  # the second has not ended
        await asyncio.wait_for(anext(stream), 0.1)
    await client.close()


async def load_and_close(client: EngineClient, rest_s: float) -> None:
    starting = asyncio.ensure_future(client.start())
    await asyncio.sleep(rest_s * 20)
    await asyncio.wait_for(client.close(), CLOSE_S)
    await asyncio.gather(starting, return_exceptions=True)


async def kill_and_close(client: EngineClient, rest_s: float) -> None:
    await client.start()
    kill(client)
    await asyncio.sleep(rest_s)
    await asyncio.wait_for(client.close(), CLOSE_S)


async def ask_and_close(client: EngineClient, rest_s: float) -> None:
    await client.start()
    asked = [asyncio.ensure_future(collect(client)), asyncio.ensure_future(client.stats())]
    await asyncio.sleep(rest_s)
    await asyncio.wait_for(client.close(), CLOSE_S)
    for item in await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), HANG_S):
        assert isinstance(item, dict | list | EdgeAgentError)


async def kill_ask_and_close(client: EngineClient, rest_s: float) -> None:
    await client.start()
    kill(client)
    asked = asyncio.ensure_future(client.stats())
    await asyncio.sleep(rest_s)
    closing = [asyncio.ensure_future(client.close()) for _ in range(2)]
    await asyncio.wait_for(asyncio.gather(*closing), CLOSE_S)
    await asyncio.wait_for(asyncio.gather(asked, return_exceptions=True), HANG_S)


async def test_closing_at_any_moment_never_hangs() -> None:
    """Up to Python 3.11 wait_for swallows a cancellation that comes with the result: a keeper that
    was collecting a dead engine then went on and started another, and close waited for it. Two in
    a hundred closings right after a death hung."""
    draw = random.Random(3)
    endings = (load_and_close, kill_and_close, ask_and_close, kill_ask_and_close)

    async def cycle(end: Callable[[EngineClient, float], Any]) -> None:
        client = client_of("good")
        await end(client, draw.random() * 0.006)
        assert client.status.state == "closed"
        with pytest.raises(EngineCrashed, match="closed"):
            await asyncio.wait_for(client.stats(), HANG_S)

    for _ in range(CYCLES // 8):
        await asyncio.gather(*(cycle(end) for end in (*endings, *endings)))


async def test_a_real_engine_closes_at_any_moment(smollm2_path: Path) -> None:
    draw = random.Random(4)
    for end in (load_and_close, kill_and_close, ask_and_close, kill_ask_and_close) * 2:
        client = EngineClient(spec_of(smollm2_path), notice=lambda _: None, restart_s=(0.0,))
        await end(client, draw.random() * 0.05)
        assert client.status.state == "closed"


async def test_closing_does_not_wait_for_a_stopped_engine_that_has_much_to_read() -> None:
    client = client_of("begins")
    await client.start()
    strike(client.status.pid, signal.SIGSTOP)
    stream = client.submit(list(range(2_000_000)), ONE)
    asked = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(client.close(), CLOSE_S)
    with pytest.raises(EngineCrashed, match="closed"):
        await asked


async def test_a_close_that_is_cancelled_says_so_and_leaves_no_process() -> None:
    client = client_of("deaf")  # ends only when it is killed
    await client.start()
    pid = client.status.pid or 0
    closing = asyncio.ensure_future(client.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await until(lambda: is_gone(pid))
