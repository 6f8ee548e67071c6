"""A stuck engine is ended and started again; a busy one, a slow one and a resting one are not."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, Rollback, Tokens
from edge_agent.engine.pipe import Pong
from edge_agent.engine.watchdog import Progress, Watchdog
from edge_agent.errors import EngineCrashed, ModelLoadError
from tests.patience import HANG_S, is_gone, strike

from .live import GREEDY, generate, spec_of
from .scripted import client_of

PATIENT_S = 1.5  # for those who answer: however busy the machine, a process runs more often
FOREVER = GenerateParams(GREEDY, ignore_eos=True)


def ticks(dog: Watchdog, n: int) -> str:
    return next((why for why in (dog.tick(1.0) for _ in range(n)) if why), "")


def test_an_engine_that_steps_is_let_be() -> None:
    dog = Watchdog(10)
    for _ in range(100):
        assert not ticks(dog, 3)
        dog.heard(Pong(2.5, True))


def test_silence_is_ended_in_time() -> None:
    dog = Watchdog(10)
    assert not ticks(dog, 9)
    assert "no answer for 10 s" in dog.tick(1.0)


def test_answers_without_a_step_are_ended_in_time() -> None:
    dog = Watchdog(10)
    for second in range(1, 10):
        assert not dog.tick(1.0)
        dog.heard(Pong(float(second), True))
    assert "no step for 10 s" in dog.tick(1.0)


def test_a_step_that_was_finished_meanwhile_counts() -> None:
    dog = Watchdog(10)
    ticks(dog, 9)
    dog.heard(Pong(1.0, True))
    assert not ticks(dog, 8)
    assert "no step" in dog.tick(1.0) or "no answer" in dog.tick(1.0)


def test_an_engine_without_work_is_never_still() -> None:
    dog = Watchdog(10)
    for _ in range(100):
        assert not dog.tick(1.0)
        dog.heard(Pong(999.0, False))


def test_time_in_which_both_processes_slept_is_not_held_against_the_engine() -> None:
    dog = Watchdog(120)
    assert not dog.tick(3600.0)
    dog.heard(Pong(3600.0, True))
    assert not dog.tick(1.0)


def test_rest_forgets() -> None:
    dog = Watchdog(10)
    ticks(dog, 9)
    dog.rest()
    assert not ticks(dog, 9)


@pytest.mark.parametrize(("stuck_after_s", "most_s"), [(120.0, 1.0), (0.4, 0.1)])
def test_looks_often_enough_for_what_it_guards(stuck_after_s: float, most_s: float) -> None:
    assert 0 < Watchdog(stuck_after_s).tick_s <= most_s


def test_progress_counts_from_the_last_thing_finished() -> None:
    times = iter([10.0, 13.0, 20.0, 24.0])
    progress = Progress(lambda: next(times))
    assert progress.pong() == Pong(0.0, False)
    progress.working()
    assert progress.pong() == Pong(3.0, True)
    progress.working()
    assert progress.pong() == Pong(4.0, True)
    progress.resting()
    assert progress.pong() == Pong(0.0, False)


async def ask(client: EngineClient) -> list[object]:
    return [item async for item in client.submit([1], FOREVER)]


@pytest.mark.parametrize(
    ("script", "why", "stuck_after_s"),
    [
        ("deaf", "no answer", 0.4),
        ("still", "no step", PATIENT_S),
        ("holds the lock", "no answer", 0.4),
    ],
)
async def test_a_stuck_process_is_ended_and_what_waits_gets_one_sentence(
    script: str, why: str, stuck_after_s: float
) -> None:
    client = client_of(script, stuck_after_s=stuck_after_s, restart_s=(60.0,))
    await client.start()
    pid = client.status.pid or 0
    waiting = [
        asyncio.ensure_future(ask(client)),
        asyncio.ensure_future(client.stats()),
        asyncio.ensure_future(client.edit(Rollback((1, 2), 1))),
    ]
    for failed in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), HANG_S):
        assert isinstance(failed, EngineCrashed)
        assert f"{why} for {stuck_after_s} s" in str(failed)
        assert "send the request again" in str(failed)
    status = client.status
    assert (status.state, status.restarts, status.pid) == ("restarting", 1, None)
    assert why in status.detail
    assert is_gone(pid)
    await client.close()


async def test_a_process_that_answers_may_take_its_time() -> None:
    clients = [client_of(script, stuck_after_s=PATIENT_S) for script in ("begins", "idle")]
    for client in clients:
        await client.start()
    waiting = [asyncio.ensure_future(client.stats()) for client in clients]
    await asyncio.sleep(2 * PATIENT_S)
    assert [client.status.restarts for client in clients] == [0, 0]
    for client, asked in zip(clients, waiting, strict=True):
        await client.close()
        with pytest.raises(EngineCrashed, match="closed"):
            await asked


async def test_nobody_waits_nobody_is_judged() -> None:
    client = client_of("deaf", stuck_after_s=0.1)
    await client.start()
    await asyncio.sleep(0.4)
    assert client.status.restarts == 0
    strike(client.status.pid)  # it would not end by itself
    await client.close()


async def test_a_load_that_hangs_is_ended_with_a_sentence() -> None:
    client = client_of("never loads", stuck_load_s=0.3)
    with pytest.raises(ModelLoadError, match=r"not ready after 0\.3 s"):
        await asyncio.wait_for(client.start(), HANG_S)
    assert client.status.state == "failed"
    await client.close()


async def test_a_stopped_engine_is_replaced_and_the_next_request_answered(
    smollm2_path: Path,
) -> None:
    said: list[str] = []
    client = EngineClient(
        spec_of(smollm2_path), notice=said.append, restart_s=(0.0,), stuck_after_s=2.0
    )
    await client.start()
    try:
        stream = client.submit([1, 2, 3], FOREVER)
        assert isinstance(await anext(stream), Tokens)
        pid = client.status.pid or 0
        strike(pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(client.stats())
        with pytest.raises(EngineCrashed, match="no answer for 2 s"):
            async for _ in stream:
                pass
        with pytest.raises(EngineCrashed, match="no answer for 2 s"):
            await waiting
        assert client.status.state == "restarting"
        assert len((await asyncio.wait_for(generate(client, [1, 2, 3], 4), 60))[0]) == 4
        after = client.status
        assert (after.state, after.restarts, len(said)) == ("ready", 1, 1)
        assert after.pid not in (None, pid)
    finally:
        await client.close()
