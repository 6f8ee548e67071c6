"""Reads the header of a GGUF file: what the model is, and whether the whole of it is there.

The layout is that of the GGUF specification, versions 2 and 3, little-endian: magic, version,
counts, key-value pairs, tensor descriptions, padding, tensor data.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_agent.errors import BadModelFile

Value = int | float | bool | str | tuple[int | float | bool, ...]

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
MAX_STRING = 64 << 20  # a longer one is garbage, not a chat template
MAX_COUNT = 1 << 24
MAX_ARRAY = 4096  # longer arrays are vocabularies, which nobody here reads

# value type -> struct format, from the specification; 8 is a string, 9 an array
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9

# ggml tensor type -> (weights per block, bytes per block), from ggml-common.h of llama.cpp
BLOCKS = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    9: (32, 36),  # Q8_1
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    15: (256, 292),  # Q8_K
    16: (256, 66),  # IQ2_XXS
    17: (256, 74),  # IQ2_XS
    18: (256, 98),  # IQ3_XXS
    19: (256, 50),  # IQ1_S
    20: (32, 18),  # IQ4_NL
    21: (256, 110),  # IQ3_S
    22: (256, 82),  # IQ2_S
    23: (256, 136),  # IQ4_XS
    24: (1, 1),  # I8
    25: (1, 2),  # I16
    26: (1, 4),  # I32
    27: (1, 8),  # I64
    28: (1, 8),  # F64
    29: (256, 56),  # IQ1_M
    30: (1, 2),  # BF16
    34: (256, 54),  # TQ1_0
    35: (256, 66),  # TQ2_0
    39: (32, 17),  # MXFP4
    40: (64, 36),  # NVFP4
    41: (128, 18),  # Q1_0
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the header says of a tensor. shape: the row's length first, as ggml has it.

    kind: ggml's number of the type. offset: in bytes, from where the tensors' data begins.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def n_weights(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """0 for a type that is not known here."""
        per_block, block_bytes = BLOCKS.get(self.kind, (1, 0))
        return -(-self.n_weights // per_block) * block_bytes


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The header of a complete GGUF file.

    metadata holds scalars, strings and short arrays of numbers; vocabularies are skipped.
    end_offset: the first byte after the last tensor.
    """

    path: Path
    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    end_offset: int

    @property
    def n_tensors(self) -> int:
        return len(self.tensors)

    @property
    def n_parameters(self) -> int:
        return sum(tensor.n_weights for tensor in self.tensors)

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name", ""))

    def number(self, key: str) -> int | None:
        """A whole number of the architecture, such as `block_count`; the largest of an array."""
        numbers = self.numbers(key)
        return max(numbers) if numbers else None

    def numbers(self, key: str) -> tuple[int, ...]:
        """The numbers under a key of the architecture: one, one for each layer, or none."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            return tuple(int(number) for number in value)
        return (int(value),) if isinstance(value, (int, float)) else ()

    @property
    def context_length(self) -> int | None:
        """Tokens the model was trained for."""
        return self.number("context_length")

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Bytes of keys and values one token costs in f16, over all layers."""
        layers, heads = self.number("block_count"), self.number("attention.head_count")
        width = self.number("embedding_length")
        if not layers or not heads or not width:
            return None
        kv_heads = self.number("attention.head_count_kv") or heads
        key = self.number("attention.key_length") or width // heads
        value = self.number("attention.value_length") or width // heads
        return layers * kv_heads * (key + value) * 2


class _Reader:
    """Little-endian primitives over an open file; a short read means that the file is cut."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path

    def bytes(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise cut(self._path, "its header ends early")
        return data

    def scalar(self, code: str) -> int | float | bool:
        (value,) = struct.unpack("<" + code, self.bytes(struct.calcsize("<" + code)))
        return value  # type: ignore[no-any-return]

    def count(self) -> int:
        value = int(self.scalar("Q"))
        if value > MAX_COUNT:
            raise damaged(self._path, f"it claims {value} entries where at most {MAX_COUNT} can be")
        return value

    def string(self) -> str:
        length = int(self.scalar("Q"))
        if length > MAX_STRING:
            raise damaged(self._path, f"it claims a string of {length} bytes")
        return self.bytes(length).decode("utf-8", "replace")

    def value(self, kind: int) -> Value | None:
        """A scalar, a string or a short array of numbers; None for an array that is skipped."""
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self._array()
        if kind not in SCALARS:
            raise damaged(self._path, f"it holds a value of unknown type {kind}")
        return self.scalar(SCALARS[kind])

    def _array(self) -> tuple[int | float | bool, ...] | None:
        kind, count = int(self.scalar("I")), self.count()
        if kind in SCALARS and count <= MAX_ARRAY:
            return tuple(self.scalar(SCALARS[kind]) for _ in range(count))
        if kind in SCALARS:
            self._file.seek(count * struct.calcsize("<" + SCALARS[kind]), 1)
            return None
        for _ in range(count):
            if kind == STRING:
                self._file.seek(int(self.scalar("Q")), 1)
            else:
                self.value(kind)
        return None

    @property
    def offset(self) -> int:
        return self._file.tell()


def cut(path: Path, why: str) -> BadModelFile:
    """The error for a file of which a part is missing."""
    return BadModelFile(f"{path} is cut: {why}. Delete it and pull the model again.")


def damaged(path: Path, why: str) -> BadModelFile:
    """The error for a file that begins like a GGUF and goes on like none."""
    return BadModelFile(f"{path} is damaged: {why}. Delete it and pull the model again.")


def read_gguf(path: Path) -> GgufHeader:
    """The header of a complete GGUF. Raises BadModelFile: missing, not a GGUF, cut, or damaged."""
    try:
        with path.open("rb") as file:
            header = _read_header(_Reader(file, path), path)
        size = path.stat().st_size
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {error.strerror}.") from None
    if size < header.end_offset:
        raise cut(path, f"it has {size:,} of {header.end_offset:,} bytes")
    return header


def _read_header(reader: _Reader, path: Path) -> GgufHeader:
    version = _read_version(reader, path)
    n_tensors, n_pairs = reader.count(), reader.count()
    metadata: dict[str, Value] = {}
    for _ in range(n_pairs):
        key = reader.string()
        value = reader.value(int(reader.scalar("I")))
        if value is not None:
            metadata[key] = value
    tensors = tuple(_read_tensor(reader) for _ in range(n_tensors))
    end = max((tensor.offset + tensor.n_bytes for tensor in tensors), default=0)
    told = metadata.get("general.alignment")
    alignment = told if isinstance(told, int) and told > 0 else DEFAULT_ALIGNMENT
    start = -(-reader.offset // alignment) * alignment
    return GgufHeader(path, version, metadata, tensors, start + end)


def _read_version(reader: _Reader, path: Path) -> int:
    if reader.bytes(4) != MAGIC:
        raise BadModelFile(f"{path} is not a GGUF file: it does not begin with 'GGUF'.")
    version = int(reader.scalar("I"))
    if version not in (2, 3):
        raise BadModelFile(f"{path} is a GGUF of version {version}; versions 2 and 3 can be read.")
    return version


def _read_tensor(reader: _Reader) -> Tensor:
    name = reader.string()
    shape = tuple(int(reader.scalar("Q")) for _ in range(min(int(reader.scalar("I")), 8)))
    kind, offset = int(reader.scalar("I")), int(reader.scalar("Q"))
    return Tensor(name, shape, kind, offset)
