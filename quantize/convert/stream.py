"""Turns the stored bytes of a tensor into those of a GGUF, a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from gguf import quants

from edge_agent.errors import RequestError
from quantize.checkpoint.safetensors import Bytes, Floats, Stored, to_bf16, to_floats
from quantize.convert.plan import Planned, Type

AT_ONCE_BYTES = 8 << 20  # of the source; what is made of it takes a few times as much
SAME = {"BF16": Type.BF16, "F16": Type.F16, "F32": Type.F32}


def pieces(tensor: Planned) -> Iterator[Bytes]:
    """The tensor's bytes in the GGUF, in order. Raises RequestError where f16 is too narrow."""
    source = tensor.source
    if not isinstance(source, Stored):
        yield source.view(np.uint8)
        return
    at_once = _rows_at_once(source, tensor.heads)
    if not tensor.heads and SAME.get(source.kind) == tensor.type:
        yield from source.rows(at_once)
        return
    row = source.n_weights // source.shape[0]
    for raw in source.rows(at_once):
        values = to_floats(raw, source.kind).reshape(-1, row)
        if tensor.heads:
            values = paired(values, source.shape[0] // tensor.heads)
        yield encoded(values, tensor.type, source.name)


def _rows_at_once(source: Stored, heads: int) -> int:
    """A whole number of heads, where they matter."""
    unit = source.shape[0] // heads if heads else 1
    return max(1, AT_ONCE_BYTES // (source.row_bytes * unit)) * unit


def paired(values: Floats, head_rows: int) -> Floats:
    """Rows of each head from (first half, second half) to pairs of one row of each half."""
    halves = values.reshape(-1, 2, head_rows // 2, values.shape[-1])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)


def encoded(values: Floats, type: Type, name: str) -> Bytes:
    """float32 as the bytes of a ggml type."""
    if type == Type.BF16:
        return to_bf16(values).view(np.uint8)
    if type == Type.F16:
        return _halved(values, name).view(np.uint8)
    if type == Type.F32:
        return np.ascontiguousarray(values).view(np.uint8)
    return np.asarray(quants.quantize(values, type))


def _halved(values: Floats, name: str) -> Floats:
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float16)
    if np.isinf(narrow).any() and np.isfinite(values).all():
        raise RequestError(f"{name} holds weights beyond f16's 65,504: choose --type bf16.")
    return narrow  # type: ignore[return-value]
