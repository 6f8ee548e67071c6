from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.engine.fit.layouts import MEMORY_SHARE, Case, Wishes
from edge_agent.engine.fit.machine import Gpu, Machine
from edge_agent.engine.fit.planner import plan
from edge_agent.engine.fit.refusal import flags_between, nearest
from edge_agent.engine.fit.shape import Layer, ModelShape
from edge_agent.errors import ModelLoadError

MIB, GIB = 1 << 20, 1 << 30
LAYER = Layer(58 * MIB, 39 * MIB, 2 * 8 * 128)
QWEN3_4B = ModelShape(
    path="/models/four.gguf",
    n_ctx_train=262_144,
    n_vocab=151_936,
    n_embd=2560,
    n_ff=9728,
    q_width=4096,
    head_dims=(128, 128),
    layers=(LAYER,) * 36,
    embedding_bytes=304 * MIB,
    output=Layer(0, 0, 0),
    tied=True,
)


def machine(gib: float, vram_gib: float = 0, unified: bool = False) -> Machine:
    gpu = Gpu("GPU", int(vram_gib * GIB), int(vram_gib * GIB), unified)
    return Machine(int(gib * GIB), 4, (gpu,) if vram_gib else ())


def refused(shape: ModelShape, machine: Machine, wishes: Wishes) -> str:
    with pytest.raises(ModelLoadError) as error:
        plan(shape, machine, wishes)
    return str(error.value)


def test_kv_of_the_4b_is_144_kib_a_token() -> None:
    assert QWEN3_4B.kv_bytes_per_token("f16") == 144 * 1024
    assert QWEN3_4B.kv_bytes_per_token("q8_0") == pytest.approx(144 * 1024 * 34 / 64)


def test_plenty_of_memory_gives_nothing_up() -> None:
    planned = plan(QWEN3_4B, machine(16), Wishes())
    spec = planned.spec
    assert (spec.n_ctx, spec.kv_type, spec.n_batch) == (16_384, "f16", 512)
    assert spec.use_extra_bufts and spec.cache_bytes == 512 * MIB
    assert "\n" not in planned.reason and ";" not in planned.reason


def test_repacked_weights_take_the_place_of_the_originals() -> None:
    planned = plan(QWEN3_4B, machine(6.5), Wishes())
    assert (planned.spec.n_ctx, planned.spec.kv_type) == (16_384, "f16")
    assert planned.spec.use_extra_bufts


def test_q8_0_holds_the_usual_window_where_f16_cannot() -> None:
    planned = plan(QWEN3_4B, machine(5.5), Wishes())
    assert (planned.spec.n_ctx, planned.spec.kv_type) == (16_384, "q8_0")
    assert "f16 cells would need" in planned.reason


def test_short_memory_gets_the_largest_window_that_fits() -> None:
    planned = plan(QWEN3_4B, machine(4.5), Wishes())
    assert 2048 <= planned.spec.n_ctx < 16_384 and planned.spec.n_ctx % 256 == 0
    refused(QWEN3_4B, machine(4.5), Wishes(ctx_size=planned.spec.n_ctx + 256))


def test_heads_that_are_no_multiple_of_32_have_no_q8_0_cells() -> None:
    odd = replace(QWEN3_4B, head_dims=(80, 80))
    assert plan(odd, machine(5.5), Wishes()).spec.kv_type == "f16"
    assert "Use f16" in refused(odd, machine(16), Wishes(kv_type="q8_0"))


def test_what_does_not_fit_is_refused_with_numbers_and_the_nearest_choice() -> None:
    sentence = refused(QWEN3_4B, machine(6), Wishes(ctx_size=65_536))
    assert "65536 tokens" in sentence and "6.0 GiB" in sentence
    near = int(sentence.rsplit("--ctx-size ", 1)[1].rstrip("."))
    assert near > 16_384  # the nearest, not the usual
    assert plan(QWEN3_4B, machine(6), Wishes(ctx_size=near)).spec.n_ctx == near


def test_f16_that_was_asked_for_is_told_of_q8_0() -> None:
    assert "use --kv-type q8_0." in refused(
        QWEN3_4B, machine(5.5), Wishes(ctx_size=16_384, kv_type="f16")
    )


def test_no_room_for_the_weights_names_no_context_size() -> None:
    assert "use a smaller model" in refused(QWEN3_4B, machine(2), Wishes())


def test_wishes_are_kept() -> None:
    wishes = Wishes(1024, 2, 64, 3, kv_type="q8_0", cache_bytes=7 * MIB)
    spec = plan(QWEN3_4B, machine(16), wishes).spec
    assert (spec.n_ctx, spec.n_parallel, spec.n_batch, spec.n_threads) == (1024, 2, 64, 3)
    assert (spec.kv_type, spec.cache_bytes) == ("q8_0", 7 * MIB)


def test_adapters_count_as_memory() -> None:
    without = plan(QWEN3_4B, machine(16), Wishes())
    heavy = plan(QWEN3_4B, machine(16), Wishes(adapter_bytes=GIB))
    assert heavy.host_bytes == without.host_bytes + GIB


def test_a_gpu_takes_the_whole_model_or_as_many_layers_as_it_holds() -> None:
    def layers(vram_gib: float, wish: int = -2) -> int:
        return plan(QWEN3_4B, machine(16, vram_gib), Wishes(n_gpu_layers=wish)).spec.n_gpu_layers

    assert layers(12) == -1
    assert layers(12, 7) == 7
    assert layers(12, 0) == 0
    assert 0 < layers(3) < 36
    assert layers(2) < layers(3)
    assert layers(0.2) == 0
    assert layers(0, -1) == 0  # there is none


def test_the_gpu_gets_larger_batches_and_less_of_the_machines_memory() -> None:
    on_gpu = plan(QWEN3_4B, machine(16, 12), Wishes())
    assert on_gpu.spec.n_batch > 512 and "all of it on GPU" in on_gpu.reason
    assert on_gpu.host_bytes < plan(QWEN3_4B, machine(16), Wishes()).host_bytes / 2


def test_too_many_layers_are_refused_with_the_number_that_fits() -> None:
    wishes = Wishes(ctx_size=16_384, n_gpu_layers=-1, kv_type="f16")
    sentence = refused(QWEN3_4B, machine(16, 3), wishes)
    near = int(sentence.rsplit("--n-gpu-layers ", 1)[1].rstrip("."))
    fits = replace(wishes, n_gpu_layers=near)
    assert plan(QWEN3_4B, machine(16, 3), fits).spec.n_gpu_layers == near


def test_unified_memory_is_spent_once() -> None:
    assert plan(QWEN3_4B, machine(16, 12, unified=True), Wishes()).spec.n_gpu_layers == -1
    tight = plan(QWEN3_4B, machine(5.5, 5.5, unified=True), Wishes())
    assert tight.host_bytes + tight.estimate.device.total <= 5.5 * GIB * MEMORY_SHARE


layers = st.builds(
    Layer,
    n_bytes=st.integers(1 * MIB, 300 * MIB),
    repacked_bytes=st.integers(0, 200 * MIB),
    kv_width=st.sampled_from([0, 128, 512, 2048, 8192]),
)
shapes = st.builds(
    ModelShape,
    path=st.just("/models/any.gguf"),
    n_ctx_train=st.sampled_from([512, 2048, 4096, 32_768, 262_144]),
    n_vocab=st.integers(1000, 300_000),
    n_embd=st.integers(64, 8192),
    n_ff=st.integers(64, 30_000),
    q_width=st.integers(64, 8192),
    head_dims=st.sampled_from([(64, 64), (128, 128), (80, 80), (192, 128)]),
    layers=st.integers(1, 6).flatmap(
        lambda n: st.lists(layers, min_size=n, max_size=n).map(lambda some: tuple(some) * 4)
    ),
    embedding_bytes=st.integers(0, GIB),
    output=st.builds(Layer, st.integers(0, GIB), st.integers(0, GIB), st.just(0)),
    tied=st.booleans(),
    n_used=st.sampled_from([0, 2, 8]),
    windowed=st.booleans(),
    state_bytes=st.sampled_from([0, 50 * MIB]),
)
machines = st.builds(
    machine,
    st.floats(0.2, 40),
    st.one_of(st.just(0.0), st.floats(0.2, 40)),
    st.booleans(),
)
asked = st.builds(
    Wishes,
    ctx_size=st.sampled_from([0, 0, 512, 5000, 16_384, 131_072]),
    parallel=st.sampled_from([0, 1, 16]),
    batch_size=st.sampled_from([0, 0, 64, 4096]),
    n_gpu_layers=st.sampled_from([-2, -2, -1, 0, 5]),
    kv_type=st.sampled_from(["auto", "f16", "q8_0"]),  # type: ignore[arg-type]
    cache_bytes=st.sampled_from([None, None, 0, 300 * MIB, 8 * GIB]),
    adapter_bytes=st.sampled_from([0, 90 * MIB]),
)


def budgets_hold(shape: ModelShape, on: Machine, wishes: Wishes) -> bool:
    """Whether a plan was made; what it takes must be there."""
    try:
        planned = plan(shape, on, wishes)
    except ModelLoadError:
        return False
    device = planned.estimate.device.total
    unified = any(gpu.unified for gpu in on.gpus)
    assert planned.host_bytes + device * unified <= on.available_bytes * MEMORY_SHARE
    assert device <= sum(gpu.free_bytes for gpu in on.gpus) * MEMORY_SHARE
    assert planned.spec.cache_bytes >= 0
    return True


@settings(max_examples=60, deadline=None)
@given(shapes, machines, asked)
def test_a_plan_stays_within_what_is_free_and_a_refusal_names_one_that_fits(
    shape: ModelShape, on: Machine, wishes: Wishes
) -> None:
    if budgets_hold(shape, on, wishes):
        return
    sentence = refused(shape, on, wishes)
    near = nearest(Case(shape, on, wishes))
    if near is None:
        assert "smaller model" in sentence or "Use f16" in sentence
        return
    assert budgets_hold(shape, on, near)
    assert near != wishes
    assert "Use f16" in sentence or " ".join(flags_between(wishes, near)) in sentence


@settings(max_examples=40, deadline=None)
@given(shapes, machines, asked, st.floats(0, 20), st.floats(0, 20))
def test_more_memory_never_gives_less_context(
    shape: ModelShape, on: Machine, wishes: Wishes, ram_gib: float, vram_gib: float
) -> None:
    gpus = tuple(replace(g, free_bytes=g.free_bytes + int(vram_gib * GIB)) for g in on.gpus)
    larger = replace(on, available_bytes=on.available_bytes + int(ram_gib * GIB), gpus=gpus)
    try:
        before = plan(shape, on, wishes).spec.n_ctx
    except ModelLoadError:
        return
    assert plan(shape, larger, wishes).spec.n_ctx >= before
