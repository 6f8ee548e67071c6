"""The definitions: each method on the numbers of one tensor, or of a piece of it.

Arrays are float32 and of one shape; a task vector is a model minus the base it was tuned from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantize.checkpoint.safetensors import Floats

ALMOST_PARALLEL = 0.9995  # beyond this cosine the arc is a line to within float32


def weighted(arrays: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """sum w_i a_i."""
    total = np.zeros_like(arrays[0])
    for array, weight in zip(arrays, weights, strict=True):
        total += np.float32(weight) * array
    return total


def linear(models: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """The weighted mean: sum w_i m_i / sum w_i."""
    return _floats(weighted(models, weights) / np.float32(sum(weights)))


def task_arithmetic(
    base: Floats, tasks: Sequence[Floats], weights: Sequence[float], scale: float
) -> Floats:
    """base + scale * sum w_i t_i."""
    return _floats(base + np.float32(scale) * weighted(tasks, weights))


def ties(
    base: Floats,
    tasks: Sequence[Floats],
    weights: Sequence[float],
    thresholds: Sequence[float],
    scale: float,
) -> Floats:
    """Trim, elect, merge: of each task vector only magnitudes from its threshold on; the sign that
    has more of them; the mean of those that have this sign. With equal weights this is the paper's.
    """
    trimmed = [
        np.where(np.abs(task) >= np.float32(least), task, np.float32(0))
        for task, least in zip(tasks, thresholds, strict=True)
    ]
    elected = np.sign(weighted(trimmed, weights))
    total = np.zeros_like(base)
    share = np.zeros_like(base)
    for task, weight in zip(trimmed, weights, strict=True):
        agrees = (np.sign(task) == elected) & (task != 0)
        total += np.where(agrees, np.float32(weight) * task, np.float32(0))
        share += np.where(agrees, np.float32(weight), np.float32(0))
    mean = np.divide(total, share, out=np.zeros_like(total), where=share != 0)
    return _floats(base + np.float32(scale) * mean)


def dropped(task: Floats, kept: float, draw: np.random.Generator) -> Floats:
    """DARE: each number survives with probability `kept`, and is then divided by it."""
    survives = draw.random(task.shape, np.float32) < np.float32(kept)
    return _floats(np.where(survives, task / np.float32(kept), np.float32(0)))


def slerp_shares(cosine: float, t: float) -> tuple[float, float]:
    """How much of either end makes the point at `t` of the arc between two vectors; of the line
    where they are all but parallel."""
    if abs(cosine) > ALMOST_PARALLEL:
        return 1 - t, t
    angle = float(np.arccos(cosine))
    return float(np.sin((1 - t) * angle) / np.sin(angle)), float(np.sin(t * angle) / np.sin(angle))


def slerp(a: Floats, b: Floats, t: float) -> Floats:
    """The point at `t` of the arc from `a` to `b`, as one vector each."""
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    first, second = slerp_shares(float(x @ y) / lengths if lengths else 1.0, t)
    return weighted([a, b], [first, second])


def _floats(values: NDArray[np.floating]) -> Floats:
    return np.asarray(values, np.float32)
