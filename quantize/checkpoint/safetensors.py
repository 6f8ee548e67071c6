"""Reads and writes safetensors a piece at a time, bfloat16 included.

The layout is that of the safetensors format: eight bytes with the header's length (little-endian),
the header in JSON, and the tensors' bytes without gaps. The safetensors library itself reads whole
tensors, and knows no bfloat16 in numpy.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadModelFile

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
MAX_HEADER = 100_000_000  # the format's own limit, in bytes
# bytes per element of every type the format knows
SIZES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "BF16": 2,
    "F16": 2,
    "I16": 2,
    "U16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
FLOATS = ("BF16", "F16", "F32")


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file. shape: rows first. offset: in bytes, from the file's beginning."""

    name: str
    kind: str
    shape: tuple[int, ...]
    path: Path
    offset: int

    @property
    def n_weights(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        return self.n_weights * SIZES[self.kind]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row: of what lies behind the first index."""
        return self.n_bytes // self.shape[0] if self.shape and self.shape[0] else self.n_bytes

    def rows(self, at_once: int) -> Iterator[Bytes]:
        """Its bytes, `at_once` rows at a time; a piece holds until the next one is asked for.

        Raises BadModelFile where the file has become shorter than its header says.
        """
        buffer = np.empty(max(1, at_once * self.row_bytes), np.uint8)
        left = self.n_bytes
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            while left:
                piece = buffer[: min(left, buffer.size)]
                _fill(file, piece, self.path)
                left -= piece.size
                yield piece


def _fill(file: Any, piece: Bytes, path: Path) -> None:
    view, done = piece.data, 0
    while done < len(view):
        n = file.readinto(view[done:])
        if not n:
            raise BadModelFile(f"{path} is cut: it ends inside a tensor. Fetch it again.")
        done += n


def read_header(path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The tensors of a file by name, in the order they lie in it, and its metadata.

    Raises BadModelFile: missing, no safetensors, or cut.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header, start = _parse(file, size, path)
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {error.strerror}.") from None
    metadata = header.pop("__metadata__", {})
    try:
        found = [_stored(name, entry, path, start) for name, entry in header.items()]
    except (KeyError, TypeError, ValueError):
        raise BadModelFile(f"{path} is damaged: its header does not describe tensors.") from None
    found.sort(key=lambda tensor: tensor.offset)
    _check_layout(found, start, size, path)
    return {tensor.name: tensor for tensor in found}, dict(metadata)


def _parse(file: BinaryIO, size: int, path: Path) -> tuple[dict[str, Any], int]:
    first = file.read(8)
    (length,) = struct.unpack("<Q", first) if len(first) == 8 else (MAX_HEADER + 1,)
    if length > MAX_HEADER:
        raise BadModelFile(f"{path} is not a safetensors file.")
    if 8 + length > size:
        raise BadModelFile(f"{path} is cut: it has {size:,} bytes and ends inside its header.")
    try:
        header = json.loads(file.read(length))
    except ValueError:
        raise BadModelFile(f"{path} is not a safetensors file.") from None
    if not isinstance(header, dict):
        raise BadModelFile(f"{path} is not a safetensors file.")
    return header, 8 + length


def _stored(name: str, entry: Mapping[str, Any], path: Path, start: int) -> Stored:
    begin, end = (int(offset) for offset in entry["data_offsets"])
    shape = tuple(int(n) for n in entry["shape"])
    made = Stored(name, str(entry["dtype"]), shape, path, start + begin)
    if made.kind not in SIZES:
        raise BadModelFile(f"{path} holds {name} in the unknown type {made.kind}.")
    if begin < 0 or min(shape, default=0) < 0 or end - begin != made.n_bytes:
        raise ValueError(name)
    return made


def _check_layout(found: Sequence[Stored], start: int, size: int, path: Path) -> None:
    end = start
    for tensor in found:
        if tensor.offset != end:
            raise BadModelFile(f"{path} is damaged: {tensor.name} does not lie where it should.")
        end += tensor.n_bytes
    if size < end:
        raise BadModelFile(f"{path} is cut: it has {size:,} of {end:,} bytes. Fetch it again.")
    if size > end:
        raise BadModelFile(f"{path} is damaged: {size - end:,} bytes lie behind its last tensor.")


def header_bytes(
    tensors: Sequence[tuple[str, str, tuple[int, ...]]], metadata: Mapping[str, str]
) -> bytes:
    """The first bytes of a file whose tensors (name, type, shape) follow in this order."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, kind, shape in tensors:
        begin, end = end, end + math.prod(shape) * SIZES[kind]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8, as the library writes
    return struct.pack("<Q", len(text)) + text


def to_floats(raw: Bytes, kind: str) -> Floats:
    """BF16, F16 or F32 as float32: exact for all three."""
    if kind == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    values = raw.view("<f2" if kind == "F16" else "<f4")
    return values.astype(np.float32, copy=False)


def from_floats(values: Floats, kind: str) -> Bytes:
    """float32 as BF16, F16 or F32, rounded to the nearest, ties to even."""
    if kind == "BF16":
        return to_bf16(values).view(np.uint8)
    return np.ascontiguousarray(values, "<f2" if kind == "F16" else "<f4").view(np.uint8)


def to_bf16(values: Floats) -> NDArray[np.uint16]:
    """The upper half of each float32, rounded to the nearest, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
    nan = (bits & 0x7FFFFFFF) > 0x7F800000
    if nan.any():
        rounded = np.where(nan, bits | np.uint32(0x400000), rounded)
    return np.asarray(rounded >> 16, "<u2")
