"""The life of the engine process: it is loaded, dies, comes back and ends, and says why."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.child import Child
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec
from edge_agent.errors import EngineCrashed, ModelLoadError
from tests.patience import HANG_S, is_gone, strike, until

from .live import GREEDY, chat, generate, idle, spec_of


@pytest.fixture
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient(spec_of(smollm2_path), notice=print, restart_s=(0.0,))
    await client.start()
    yield client
    await client.close()


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


async def test_requests_too_large_to_run_together_all_finish(
    smollm2_path: Path, vocab: Vocab
) -> None:
    client = EngineClient(spec_of(smollm2_path, n_ctx=256), notice=print)
    await client.start()
    try:
        prompts = [chat(vocab, f"{i} " + "word " * 110) for i in range(4)]
        params = {"n": 30, "ignore_eos": True}
        done = await asyncio.gather(*(generate(client, p, **params) for p in prompts))
        assert [len(ids) for ids, _ in done] == [30] * 4
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
    strike(pid)
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
    assert is_gone(pid)


async def test_a_file_that_is_no_model_is_one_sentence_naming_it(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(200))
    client = EngineClient(spec_of(path), notice=print)
    with pytest.raises(ModelLoadError, match=r"broken\.gguf"):
        await client.start()
    assert client.status.state == "failed"
    await client.close()


async def test_a_file_that_is_cut_is_one_sentence_naming_it(
    smollm2_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.gguf"
    with smollm2_path.open("rb") as whole:
        path.write_bytes(whole.read(20 << 20))
    client = EngineClient(spec_of(path), notice=print)
    with pytest.raises(ModelLoadError, match=r"cut\.gguf"):
        await client.start()
    await client.close()


async def test_a_context_no_memory_holds_is_one_sentence_with_its_size(smollm2_path: Path) -> None:
    client = EngineClient(spec_of(smollm2_path, n_ctx=1 << 24), notice=print)
    with pytest.raises(ModelLoadError, match=f"{1 << 24} tokens.*--ctx-size"):
        await client.start()
    await client.close()


async def test_a_batch_smaller_than_the_warm_up_works(smollm2_path: Path, vocab: Vocab) -> None:
    client = EngineClient(spec_of(smollm2_path, n_batch=3, n_parallel=4), notice=print)
    await client.start()
    try:
        prompts = [chat(vocab, f"Count to {n}.") for n in range(5)]
        done = await asyncio.gather(*(generate(client, p, 3, ignore_eos=True) for p in prompts))
        assert [len(ids) for ids, _ in done] == [3] * 5
        assert client.status.restarts == 0
    finally:
        await client.close()


class Births:
    """Starts real engine processes; the first is struck while it loads, with `number` if any."""

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self.children: list[Child] = []

    async def __call__(self, spec: LoadSpec) -> Child:
        self.children.append(child := await Child.spawn(spec))
        if self._number and len(self.children) == 1:
            strike(child.pid, self._number)
        return child


async def test_killed_while_loading_speaks_of_memory(smollm2_path: Path) -> None:
    births = Births(signal.SIGKILL)
    client = EngineClient(spec_of(smollm2_path), notice=print, spawn=births)
    with pytest.raises(ModelLoadError, match="out of memory"):
        await client.start()
    await client.close()


async def test_a_crash_while_loading_tries_plainer_kernels_and_says_so(smollm2_path: Path) -> None:
    said: list[str] = []
    births = Births(signal.SIGSEGV)
    client = EngineClient(spec_of(smollm2_path), notice=said.append, spawn=births)
    await client.start()
    assert len(births.children) == 2
    assert not client.spec.use_extra_bufts
    assert client.status.restarts == 0
    assert "SIGSEGV" in said[0]
    await client.close()


async def test_an_engine_that_cannot_be_loaded_again_says_so_and_is_tried_again(
    smollm2_path: Path, tmp_path: Path, vocab: Vocab
) -> None:
    path = tmp_path / "model.gguf"
    path.symlink_to(smollm2_path)
    client = EngineClient(spec_of(path), notice=print, restart_s=(0.05,))
    await client.start()
    try:
        path.unlink()
        strike(client.status.pid)
        await until(lambda: client.status.state == "failed")
        assert "model.gguf" in client.status.detail
        with pytest.raises(ModelLoadError, match=r"model\.gguf"):
            await generate(client, chat(vocab, "Hi"), 2)
        path.symlink_to(smollm2_path)
        await until(lambda: client.status.state == "ready")
        assert (await generate(client, chat(vocab, "Hi"), 2))[0]
    finally:
        await client.close()


async def test_closing_while_it_restarts_lets_nobody_wait(smollm2_path: Path, vocab: Vocab) -> None:
    client = EngineClient(spec_of(smollm2_path), notice=print, restart_s=(60.0,))
    await client.start()
    strike(client.status.pid)
    await until(lambda: client.status.state == "restarting")
    waiting = asyncio.ensure_future(generate(client, chat(vocab, "Hi"), 2))
    await asyncio.sleep(0.05)
    await client.close()
    with pytest.raises(EngineCrashed, match="closed"):
        await asyncio.wait_for(waiting, HANG_S)


async def test_closing_while_it_loads_leaves_no_process(smollm2_path: Path) -> None:
    births = Births()
    client = EngineClient(spec_of(smollm2_path), notice=print, spawn=births)
    starting = asyncio.ensure_future(client.start())
    await until(lambda: bool(births.children))
    await client.close()
    assert [is_gone(child.pid) for child in births.children] == [True]
    with pytest.raises(EngineCrashed, match="closed"):
        await starting


async def test_asking_before_the_start_or_after_the_end_is_an_error_at_once(
    smollm2_path: Path,
) -> None:
    client = EngineClient(spec_of(smollm2_path), notice=print)
    with pytest.raises(EngineCrashed, match="not been started"):
        await asyncio.wait_for(generate(client, [1, 2], 1), HANG_S)
    await client.start()
    await client.close()
    for ask in (generate(client, [1, 2], 1), client.stats()):
        with pytest.raises(EngineCrashed, match="closed"):
            await asyncio.wait_for(ask, HANG_S)


async def test_closing_ends_requests_in_flight(engine: EngineClient, vocab: Vocab) -> None:
    stream = engine.submit(chat(vocab, "Tell."), GenerateParams(GREEDY, ignore_eos=True))
    await anext(stream)
    await engine.close()
    with pytest.raises(EngineCrashed, match="closed"):
        async for _ in stream:
            pass
