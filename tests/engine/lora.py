"""Writes LoRA adapters as llama.cpp wants them: small, random, and wrong in one way if need be."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from edge_agent.catalog.gguf import read_gguf

RANK = 4
F32 = 0


def write_lora(
    path: Path,
    base: Path,
    *,
    strength: float = 0.2,
    architecture: str = "",
    kind: str = "adapter",
    width: int = 0,
) -> Path:
    """An adapter of every attn_q of `base`; the other arguments make it one of something else."""
    header = read_gguf(base)
    random = np.random.default_rng(0)
    tensors: list[tuple[str, np.ndarray]] = []
    for tensor in header.tensors:
        if tensor.name.endswith("attn_q.weight"):
            n_in, n_out = width or tensor.shape[0], tensor.shape[1]
            for name, shape in (("lora_a", (RANK, n_in)), ("lora_b", (n_out, RANK))):
                values = random.standard_normal(shape, np.float32) * np.float32(strength)
                tensors.append((f"{tensor.name}.{name}", values))
    pairs = [
        _pair("general.architecture", architecture or header.architecture),
        _pair("general.type", kind),
        _pair("adapter.type", "lora"),
        _text("adapter.lora.alpha") + struct.pack("<If", 6, RANK * 2.0),
    ]
    path.write_bytes(_gguf(pairs, tensors))
    return path


def _gguf(pairs: list[bytes], tensors: list[tuple[str, np.ndarray]]) -> bytes:
    told, data = b"", b""
    for name, values in tensors:
        shape = values.shape[::-1]
        told += _text(name) + struct.pack("<IQQIQ", len(shape), *shape, F32, len(data))
        data += _padded(values.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + told
    return _padded(head) + data


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 32)


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _pair(key: str, value: str) -> bytes:
    return _text(key) + struct.pack("<I", 8) + _text(value)
