"""The magnitude from which on a given share of a task vector lies, over a whole model, exactly.

The bits of a positive float32 order as the numbers do: one pass counts the upper halves of all of
them, a second one the lower halves of those at the border. 512 KB, whatever the model's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from quantize.checkpoint.safetensors import Floats

HALF = 16
BINS = 1 << HALF
Pieces = Callable[[], Iterable[Floats]]


def threshold(pieces: Pieces, kept: float) -> float:
    """The smallest magnitude among the `kept` share of the largest; `pieces` is read twice."""
    upper = _counts(_magnitudes(piece) >> np.uint32(HALF) for piece in pieces())
    wanted = int(np.ceil(kept * upper.sum()))
    high, above = _reached(upper, wanted)
    border = (_magnitudes(piece) for piece in pieces())
    lower = _counts(bits[bits >> HALF == high] & np.uint32(BINS - 1) for bits in border)
    low, _ = _reached(lower, wanted - above)
    return float(np.array([high << HALF | low], np.uint32).view(np.float32)[0])


def _magnitudes(values: Floats) -> NDArray[np.uint32]:
    return np.abs(np.ascontiguousarray(values, np.float32)).ravel().view(np.uint32)


def _counts(halves: Iterable[NDArray[np.uint32]]) -> NDArray[np.int64]:
    counted = np.zeros(BINS, np.int64)
    for half in halves:
        counted += np.bincount(half, minlength=BINS)
    return counted


def _reached(counts: NDArray[np.int64], wanted: int) -> tuple[int, int]:
    """The bin, from the top, in which the `wanted`-th lies, and how many lie above it."""
    from_top = np.cumsum(counts[::-1])
    at = int(np.searchsorted(from_top, wanted))
    return BINS - 1 - at, int(from_top[at - 1]) if at else 0
