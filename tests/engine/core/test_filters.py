"""Every filter leaves what llama.cpp's leaves, of vocabularies large and small."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from edge_agent.engine.core.filters import Left, drawn, filters_of, top_k, top_p
from edge_agent.engine.params import SamplingParams

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
SETTINGS: list[dict[str, Any]] = [
    {"top_k": 1},
    {"top_k": 40},
    {"top_k": 5000},
    {"top_p": 0.1},
    {"top_p": 0.95},
    {"min_p": 0.05},
    {"min_p": 1.0},
    {"typical_p": 0.3},
    {"typical_p": 0.9},
    {"top_k": 40, "top_p": 0.9, "min_p": 0.02},
    {"top_k": 60, "typical_p": 0.8, "top_p": 0.95},
]


def left_by_llama(logits: NDArray[np.float32], params: SamplingParams) -> set[int]:
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    if params.top_k > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(params.top_k))
    if params.typical_p < 1:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_min_p(params.min_p, 1))
    candidates = np.zeros(logits.size, CANDIDATE)
    candidates["id"], candidates["logit"] = np.arange(logits.size), logits
    data = candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
    array = lib.llama_token_data_array(data, logits.size, -1, False)
    lib.llama_sampler_apply(chain, ctypes.byref(array))
    lib.llama_sampler_free(chain)
    return {array.data[i].id for i in range(array.size)}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("n_vocab", [50, 5_000, 60_000])
@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_what_is_left_is_what_llama_cpp_leaves(
    settings: dict[str, Any], n_vocab: int, spread: float
) -> None:
    params = SamplingParams(**settings)
    logits = np.random.default_rng(n_vocab).normal(scale=spread, size=n_vocab).astype(np.float32)
    left = Left(np.arange(n_vocab), logits)
    for keep in filters_of(params):
        left = keep(left)
    expected = left_by_llama(logits, params)
    # at the edge of a sum the last token may fall either way: sums of thousands of 32-bit numbers
    assert len(expected ^ set(left.ids.tolist())) <= max(1, len(expected) // 1000)
    assert (logits[left.ids] == left.logits).all()


@pytest.mark.parametrize("p", [0.5, 0.999, 0.999999])
@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_top_p_is_exact_where_32_bits_do_not_add_up(p: float, spread: float) -> None:
    logits = np.random.default_rng(1).normal(scale=spread, size=60_000).astype(np.float32)
    left = top_p(Left(np.arange(60_000), logits), p)
    chances = np.exp(logits.astype(np.float64))
    chances /= chances.sum()
    kept = np.zeros(60_000, np.bool_)
    kept[left.ids] = True
    assert chances[kept].sum() >= p - 1e-7
    assert chances[kept].sum() - chances[kept].min() <= p + 1e-7
    assert chances[kept].min() >= chances[~kept].max(initial=0.0)


def test_top_k_keeps_k_where_more_are_equal_and_where_most_are_banned() -> None:
    for logits in (np.zeros(10_000, np.float32), np.full(10_000, -np.inf, np.float32)):
        logits[5_000:5_020] = 1.0
        left = top_k(Left(np.arange(10_000), logits), 10)
        assert len(left.ids) == 10
        assert set(left.ids.tolist()) <= set(range(5_000, 5_020))
    assert len(top_k(Left(np.arange(100), np.zeros(100, np.float32)), 7).ids) == 7


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300), st.floats(0, 0.999999))
def test_what_is_drawn_has_a_weight_and_lies_where_it_should(ws: list[float], at: float) -> None:
    weights = np.array([*ws, 1.0], np.float32)
    place = drawn(weights, at)
    assert weights[place] > 0
    total = weights.sum(dtype=np.float64)
    before, after = (
        weights[:place].sum(dtype=np.float64),
        weights[: place + 1].sum(dtype=np.float64),
    )
    assert before / total - 1e-5 <= at <= after / total + 1e-5
