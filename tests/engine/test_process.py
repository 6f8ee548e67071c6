"""The engine process says what it does, and its end says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.engine.child import Child
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec, Resume, Tokens
from edge_agent.errors import EngineCrashed, ModelLoadError, RequestError
from tests.patience import HANG_S, is_gone

from .hosted import COMMAND, STEP_S, STEPS, client_of

PARAMS = GenerateParams(name="mine")


@pytest.fixture
async def sound() -> AsyncIterator[EngineClient]:
    """Steps in time, however often it is asked; each is much shorter than the patience."""
    client = client_of("sound", stuck_after_s=STEPS * STEP_S / 2)
    await client.start()
    yield client
    assert client.status.restarts == 0
    await client.close()


async def ask(client: EngineClient, prompt: tuple[int, ...] = (1,)) -> list[object]:
    return [item async for item in client.submit(prompt, PARAMS)]


async def test_a_request_longer_than_the_patience_is_carried_out_step_by_step(
    sound: EngineClient,
) -> None:
    assert len(await ask(sound)) == STEPS + 1


async def test_questions_are_answered_between_steps(sound: EngineClient) -> None:
    stream = sound.submit([1], PARAMS)
    assert isinstance(await anext(stream), Tokens)
    assert await sound.stop_thinking("mine")
    assert await sound.stats() == {"running": 1}
    await stream.aclose()
    assert await sound.stats() == {"running": 0}
    assert not await sound.stop_thinking("mine")


async def test_an_error_of_a_request_is_that_requests_answer(sound: EngineClient) -> None:
    with pytest.raises(RequestError, match="empty"):
        await ask(sound, ())
    with pytest.raises(RequestError, match="edited"):
        await sound.edit(Resume("x"))


@pytest.mark.parametrize("way", ["hangs", "hangs at once"])
async def test_pings_are_answered_while_a_step_hangs(way: str) -> None:
    client = client_of(way, stuck_after_s=1.5, restart_s=(60.0,))
    await client.start()
    with pytest.raises(EngineCrashed, match=r"finished no step for 1\.5 s while work waited"):
        await asyncio.wait_for(ask(client), HANG_S)
    assert client.status.state == "restarting"
    await client.close()


async def test_a_failed_decode_ends_the_process_at_once_with_its_reason() -> None:
    client = client_of("fails", restart_s=(60.0,))
    await client.start()
    with pytest.raises(EngineCrashed) as crashed:
        await asyncio.wait_for(ask(client), HANG_S)
    assert (
        "died with exit code 1 (last words: RuntimeError: llama_decode returned -1: invalid input "
        "batch)" in str(crashed.value)
    )
    await client.close()


async def test_a_failed_warm_up_is_an_error_of_loading_with_its_reason() -> None:
    client = client_of("cold")
    with pytest.raises(ModelLoadError, match="llama_decode returned -3: compute failed"):
        await asyncio.wait_for(client.start(), HANG_S)
    await client.close()


async def test_a_model_that_is_not_there_is_told_by_the_process() -> None:
    client = client_of("no model")
    with pytest.raises(ModelLoadError, match=r"^There is no such model\.$"):
        await asyncio.wait_for(client.start(), HANG_S)
    await client.close()


@pytest.mark.parametrize("busy", [True, False])
async def test_the_engine_is_closed_before_its_process_ends(tmp_path: Path, busy: bool) -> None:
    client = client_of(f"writes {tmp_path / 'last'}")
    await client.start()
    stream = client.submit([1], PARAMS)
    if busy:
        await anext(stream)
    await asyncio.wait_for(client.close(), HANG_S)
    assert (tmp_path / "last").read_text() == "to the end"
    await stream.aclose()


async def test_a_step_that_hangs_does_not_hold_up_the_end() -> None:
    born: list[Child] = []

    async def spawn(spec: LoadSpec) -> Child:
        born.append(await Child.spawn(spec, COMMAND))
        return born[-1]

    client = client_of("hangs", spawn=spawn)
    await client.start()
    asked = asyncio.ensure_future(ask(client))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(client.close(), HANG_S)
    (child,) = born
    assert is_gone(child.pid) and child.signal is None  # it ended by itself: nobody killed it
    with pytest.raises(EngineCrashed, match="closed"):
        await asked
