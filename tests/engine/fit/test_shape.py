from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edge_agent.catalog.gguf import read_gguf
from edge_agent.cli.shapes import shape_of
from edge_agent.engine.client import EngineClient
from edge_agent.engine.core.draft import MAX_DRAFT
from edge_agent.engine.fit.layouts import Wishes, engine_bytes
from edge_agent.engine.fit.machine import Machine
from edge_agent.engine.fit.planner import plan
from edge_agent.engine.fit.shape import KvType, Layout, estimate, is_repacked
from edge_agent.engine.kv.cache import slots_for

from ..live import generate, spec_of

ROOT = Path(__file__).parents[3]
MIB = 1 << 20
Q4_K, Q6_K, F32 = 12, 14, 0


@pytest.mark.parametrize("kv_type", ["f16", "q8_0"])
@pytest.mark.parametrize(("n_ctx", "n_batch"), [(2048, 128), (8192, 256)])
def test_every_buffer_of_llama_cpp_is_foreseen(
    smollm2_path: Path, n_ctx: int, n_batch: int, kv_type: KvType
) -> None:
    layout = Layout(n_ctx, n_batch, 4, kv_type)
    real = measured(smollm2_path, layout)
    host = estimate(shape_of(read_gguf(smollm2_path)), layout).host
    assert host.kv == pytest.approx(real["kv"], rel=0.001)
    assert real["weights"] * 0.999 <= host.weights <= real["weights"] * 1.001
    assert host.repacked == pytest.approx(real["repacked"], abs=0.01 * MIB)
    assert real["compute"] <= host.compute <= real["compute"] * 1.25 + 2 * MIB
    # llama.cpp reserves a row of logits for each sequence, and more when tokens are drafted
    rows = slots_for(layout.n_parallel)
    assert host.outputs == pytest.approx(real["outputs"] * (rows + MAX_DRAFT) / rows, rel=0.001)


def test_repacked_weights_are_foreseen(qwen_path: Path) -> None:
    layout = Layout(512, 64, 1)
    real = measured(qwen_path, layout)
    foreseen = estimate(shape_of(read_gguf(qwen_path)), layout).host.repacked
    assert foreseen >= real["repacked"] * 0.999
    assert foreseen <= max(real["repacked"] * 1.001, 32 * MIB)  # none on an older processor


def measured(model: Path, layout: Layout) -> dict[str, float]:
    """The buffers llama.cpp says it made, in bytes, by a process of its own."""
    numbers = [layout.n_ctx, layout.n_batch, layout.n_parallel, layout.kv_type]
    command = [sys.executable, "-m", "benchmarks.fit", "--buffers", model, *numbers]
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    buffers: dict[str, float] = json.loads(done.stdout)
    return buffers


async def test_the_engine_process_takes_what_was_foreseen(smollm2_path: Path) -> None:
    engine = EngineClient(spec_of(smollm2_path, n_ctx=4096, n_batch=256), lambda line: None)
    shape = shape_of(read_gguf(smollm2_path))
    foreseen = estimate(shape, Layout(4096, 256, 4)).host.total + engine_bytes(shape)
    try:
        await engine.start()
        await generate(engine, list(range(300, 700)), 4)
        assert engine.status.pid is not None
        resident = psutil.Process(engine.status.pid).memory_info().rss
    finally:
        await engine.close()
    assert resident <= foreseen * 1.02
    assert foreseen <= resident * 1.3


async def test_what_is_planned_for_a_small_machine_loads_and_answers(smollm2_path: Path) -> None:
    shape = shape_of(read_gguf(smollm2_path))
    spec = plan(shape, Machine(650 * MIB, 1), Wishes()).spec
    assert (spec.n_ctx, spec.kv_type) == (8192, "q8_0")
    engine = EngineClient(spec, lambda line: None)
    try:
        await engine.start()
        assert engine.info.n_ctx == 8192
        assert len((await generate(engine, [504, 2365, 282], 4))[0]) == 4
    finally:
        await engine.close()


@pytest.mark.parametrize("processor", ["x86_64", "AMD64", "aarch64", "arm64"])
def test_4_bit_matrices_are_repacked_and_odd_ones_are_not(processor: str) -> None:
    assert is_repacked(Q4_K, 1024, processor)
    assert not is_repacked(Q4_K, 1022, processor)
    assert not is_repacked(F32, 1024, processor)


def test_only_arm_repacks_6_bits() -> None:
    assert is_repacked(Q6_K, 1024, "arm64") and not is_repacked(Q6_K, 1024, "x86_64")


def test_a_sequence_more_is_a_row_of_logits_more(smollm2_path: Path) -> None:
    shape = shape_of(read_gguf(smollm2_path))
    outputs = [estimate(shape, Layout(2048, 256, n)).host.outputs for n in (1, 4)]
    assert outputs[1] - outputs[0] == (slots_for(4) - slots_for(1)) * 49_152 * 4


def test_a_layout_on_the_gpu_leaves_the_embedding_and_what_is_not_moved(qwen_path: Path) -> None:
    shape = shape_of(read_gguf(qwen_path))
    whole = estimate(shape, Layout(2048, 256, 4, gpu_layers=25))
    half = estimate(shape, Layout(2048, 256, 4, gpu_layers=12))
    assert whole.host.weights == shape.embedding_bytes and whole.host.kv == 0
    assert whole.device.weights == shape.weight_bytes - shape.embedding_bytes
    assert 0 < half.device.kv < whole.device.kv
    assert half.host.kv + half.device.kv >= whole.device.kv
