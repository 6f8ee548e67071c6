"""The bare loop in its own process, against the engine and against the clock."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from edge_agent.bench.baseline import Baseline
from edge_agent.bench.machine import cpu_seconds
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec, SamplingParams, Tokens
from edge_agent.errors import ModelLoadError

PROMPT = [(i * 37) % 900 + 300 for i in range(40)]


def spec_of(path: Path, n_threads: int = 1) -> LoadSpec:
    return LoadSpec(str(path), 512, n_batch=64, n_parallel=2, n_threads=n_threads)


async def test_the_bare_loop_and_the_engine_write_the_same(smollm2_path: Path) -> None:
    async with aclosing(Baseline(spec_of(smollm2_path))) as bare:
        written = await bare.write(PROMPT, 8)
    engine = EngineClient(spec_of(smollm2_path), print)
    try:
        await engine.start()
        params = GenerateParams(SamplingParams(temperature=0), max_tokens=8, ignore_eos=True)
        items = [item async for item in engine.submit(PROMPT, params)]
    finally:
        await engine.close()
    assert [id for item in items if isinstance(item, Tokens) for id in item.ids] == written


async def test_it_sleeps_while_something_else_is_measured(smollm2_path: Path) -> None:
    async with aclosing(Baseline(spec_of(smollm2_path, n_threads=2))) as bare:
        await bare.decode([PROMPT], 4)
        assert bare.pid is not None
        before = cpu_seconds(bare.pid)
        await asyncio.sleep(1.0)
        assert before > 0 and cpu_seconds(bare.pid) - before < 0.05


async def test_it_tells_buffers_and_what_steps_cost(smollm2_path: Path) -> None:
    async with aclosing(Baseline(spec_of(smollm2_path))) as bare:
        buffers = await bare.buffers()
        costs = await bare.step_costs(128, 16, [16, 32])
    assert {name.split()[0] for name in buffers} >= {"model", "KV", "compute"}
    assert [cost.n_prompt for cost in costs] == [0, 16, 32]
    plain, _, large = (min(cost.seconds) for cost in costs)
    assert 0 < plain < large


async def test_a_model_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    bare = Baseline(spec_of(tmp_path / "none.gguf"))
    with pytest.raises(ModelLoadError, match="could not be loaded"):
        await bare.write(PROMPT, 2)
    await bare.aclose()
