from __future__ import annotations

import pytest

from edge_agent.engine.planner import Machine, ModelShape, Wishes, plan
from edge_agent.errors import ModelLoadError

GIB = 1 << 30
QWEN3_4B = ModelShape("/models/four.gguf", int(2.5 * GIB), 262_144, 36, 8, 128)


def machine(gib: float, gpu: bool = False) -> Machine:
    return Machine(int(gib * GIB), 4, gpu)


def test_kv_of_the_4b_is_144_kib_a_token() -> None:
    assert QWEN3_4B.kv_bytes_per_token("f16") == 144 * 1024
    assert QWEN3_4B.kv_bytes_per_token("q8_0") == pytest.approx(144 * 1024 * 34 / 64)


def test_plenty_of_memory_gets_the_default_window() -> None:
    assert plan(QWEN3_4B, machine(16), Wishes()).spec.n_ctx == 16_384


def test_short_memory_gets_a_smaller_window_not_a_crash() -> None:
    assert plan(QWEN3_4B, machine(4.2), Wishes()).spec.n_ctx == 4096


def test_what_does_not_fit_is_refused_with_numbers_and_the_nearest_choice() -> None:
    with pytest.raises(ModelLoadError) as refused:
        plan(QWEN3_4B, machine(6), Wishes(ctx_size=32_768))
    sentence = str(refused.value)
    assert "32768 tokens" in sentence
    assert "6.0 GiB" in sentence
    nearest = int(sentence.rsplit("--ctx-size ", 1)[1].rstrip("."))
    assert plan(QWEN3_4B, machine(6), Wishes(ctx_size=nearest)).spec.n_ctx == nearest


def test_no_room_for_the_weights_names_no_context_size() -> None:
    with pytest.raises(ModelLoadError, match="smaller model"):
        plan(QWEN3_4B, machine(2), Wishes())


def test_wishes_are_kept() -> None:
    wishes = Wishes(ctx_size=1024, parallel=2, batch_size=64, threads=3, kv_type="q8_0")
    spec = plan(QWEN3_4B, machine(16), wishes).spec
    assert (spec.n_ctx, spec.n_parallel, spec.n_batch, spec.n_threads) == (1024, 2, 64, 3)
    assert spec.kv_type == "q8_0"


def test_layers_go_to_a_gpu_only_where_there_is_one_and_it_is_wanted() -> None:
    def layers(gpu: bool, wish: int) -> int:
        return plan(QWEN3_4B, machine(16, gpu), Wishes(n_gpu_layers=wish)).spec.n_gpu_layers

    assert (layers(True, -2), layers(True, 7), layers(True, 0)) == (-1, 7, 0)
    assert layers(False, -1) == 0


def test_this_machine_has_memory_and_cores() -> None:
    here = Machine.here()
    assert here.available_bytes > 0
    assert here.n_cores >= 1
