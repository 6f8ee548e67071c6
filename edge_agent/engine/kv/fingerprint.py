"""Which model file this is, and under which key states of its sequences may be used again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

N_BLOCKS = 64
BLOCK_BYTES = 64 << 10


def fingerprint(path: Path) -> str:
    """The identity of a model file, from its size and 4 MiB of it: milliseconds for any size.

    SHA-256 over the size and 64 blocks of 64 KiB, evenly spread, the first and the last of the file
    among them. Two quantisations, fine-tunes or versions of a model differ in every block. What it
    cannot see is a change, or damage, that lies between the blocks and keeps the size: the hash of
    the whole file in the model's card is there for that. Raises ModelLoadError when the file cannot
    be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = path.stat().st_size
            digest = hashlib.sha256(size.to_bytes(8, "little"))
            for offset in _offsets(size):
                file.seek(offset)
                digest.update(file.read(BLOCK_BYTES))
            return digest.hexdigest()
    except OSError as error:
        raise ModelLoadError(
            f"The model file {path} cannot be read ({error.strerror}): check that it exists and "
            "that this user may read it."
        ) from error


def _offsets(size: int) -> list[int]:
    if size <= N_BLOCKS * BLOCK_BYTES:
        return list(range(0, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return [last * i // (N_BLOCKS - 1) for i in range(N_BLOCKS)]


def model_key(spec: LoadSpec, build: str) -> str:
    """A hash of all that decides what the cells hold for given tokens.

    The model's file, the adapters and their scales, the storage of keys and values, llama.cpp's
    `build`, and where and with which kernels the layers are computed, whose rounding differs. Not
    the size of the window, the batch or the threads. Raises ModelLoadError like `fingerprint`.
    """
    parts = {
        "model": fingerprint(Path(spec.path)),
        "adapters": [(fingerprint(Path(a.path)), float(a.scale)) for a in spec.adapters],
        "kv_type": spec.kv_type,
        "build": build,
        "n_gpu_layers": spec.n_gpu_layers,
        "use_extra_bufts": spec.use_extra_bufts,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
