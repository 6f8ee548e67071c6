"""Each method against its definition, written out again for single numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantize.merge import methods
from quantize.merge.threshold import threshold

RNG = np.random.default_rng(3)


def some(n: int = 40, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def test_linear_is_the_weighted_mean() -> None:
    a, b = some(seed=1), some(seed=2)
    assert np.allclose(methods.linear([a, b], [3.0, 1.0]), 0.75 * a + 0.25 * b, atol=1e-6)


def test_slerp_turns_at_a_constant_pace_and_keeps_unit_length() -> None:
    a, b = (v / np.linalg.norm(v) for v in (some(seed=1), some(seed=2)))
    whole = math.acos(float(a @ b))
    for t in (0.0, 0.25, 0.5, 1.0):
        found = methods.slerp(a, b, t)
        assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)
        assert math.acos(min(1.0, float(a @ found))) == pytest.approx(t * whole, abs=2e-3)


def test_slerp_of_parallel_vectors_is_a_line() -> None:
    a = some()
    assert np.allclose(methods.slerp(a, 3 * a, 0.5), 2 * a, atol=1e-5)
    zero = np.zeros(3, np.float32)
    assert np.array_equal(methods.slerp(zero, zero, 0.3), zero)


def test_task_arithmetic_adds_scaled_task_vectors() -> None:
    base, a, b = some(seed=1), some(seed=2), some(seed=3)
    found = methods.task_arithmetic(base, [a, b], [1.0, -0.5], 0.4)
    assert np.allclose(found, base + 0.4 * (a - 0.5 * b), atol=1e-6)


def ties_of_one(base: float, tasks: list[float], least: list[float], scale: float) -> float:
    """Algorithm 1 of the paper, for one parameter."""
    kept = [task if abs(task) >= bound else 0.0 for task, bound in zip(tasks, least, strict=True)]
    sign = math.copysign(1, sum(kept)) if sum(kept) else 0
    agreeing = [task for task in kept if task and math.copysign(1, task) == sign]
    return base + (scale * sum(agreeing) / len(agreeing) if agreeing else 0.0)


def test_ties_is_the_papers_algorithm_for_every_number() -> None:
    base, tasks = some(200, 1), [some(200, seed) for seed in (2, 3, 4)]
    least = [threshold(lambda task=task: [task], 0.2) for task in tasks]  # type: ignore[misc]
    found = methods.ties(base, tasks, [1.0] * 3, least, 0.7)
    wanted = [
        ties_of_one(float(base[i]), [float(task[i]) for task in tasks], least, 0.7)
        for i in range(200)
    ]
    assert np.allclose(found, wanted, atol=1e-5)


def test_ties_lets_the_larger_mass_choose_the_sign() -> None:
    base = np.zeros(1, np.float32)
    tasks = [np.array([x], np.float32) for x in (3.0, -1.0, -1.0)]
    assert methods.ties(base, tasks, [1, 1, 1], [0, 0, 0], 1.0)[0] == 3.0
    assert methods.ties(base, tasks, [1, 4, 4], [0, 0, 0], 1.0)[0] == -1.0


def test_dare_drops_the_rest_and_keeps_the_expectation() -> None:
    task = np.full(200_000, 2.0, np.float32)
    found = methods.dropped(task, 0.1, np.random.default_rng(1))
    assert set(np.unique(found)) == {np.float32(0), np.float32(20)}
    assert (found != 0).mean() == pytest.approx(0.1, abs=0.005)
    assert found.mean() == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("kept", [0.001, 0.2, 0.5, 1.0])
def test_the_threshold_is_that_of_sorting(kept: float) -> None:
    values = np.concatenate([some(10_000), some(1000, 5) * 1e-6, np.zeros(10, np.float32)])
    pieces = np.array_split(values, 7)
    n = math.ceil(kept * len(values))
    wanted = np.sort(np.abs(values))[::-1][n - 1]
    assert threshold(lambda: pieces, kept) == wanted
