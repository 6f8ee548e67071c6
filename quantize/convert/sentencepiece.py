"""Reads a SentencePiece model (tokenizer.model) without the sentencepiece library.

The file is a protocol buffer, `ModelProto` of sentencepiece_model.proto: field 1 repeats a piece,
in which field 1 is its text, field 2 its score and field 3 its type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import BadModelFile

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # wire types of protocol buffers
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
PIECES, TEXT, SCORE, TYPE = 1, 1, 2, 3  # field numbers

Field = tuple[int, int | bytes]


@dataclass(frozen=True, slots=True)
class Piece:
    """type: as above, which are also llama.cpp's token types."""

    text: str
    score: float
    type: int


def read_pieces(path: Path) -> list[Piece]:
    """The vocabulary by id. Raises BadModelFile where the file is no SentencePiece model."""
    try:
        data = path.read_bytes()
        found = [_piece(value) for number, value in _fields(data) if number == PIECES]
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {error.strerror}.") from None
    except (IndexError, ValueError, TypeError, struct.error):
        found = []
    if not found:
        raise BadModelFile(f"{path} is not a SentencePiece model, or a cut one.")
    return found


def _piece(message: int | bytes) -> Piece:
    if not isinstance(message, bytes):
        raise TypeError("a piece is a message")
    text, score, kind = "", 0.0, NORMAL
    for number, value in _fields(message):
        if number == TEXT and isinstance(value, bytes):
            text = value.decode()
        elif number == SCORE and isinstance(value, bytes):
            (score,) = struct.unpack("<f", value)
        elif number == TYPE and isinstance(value, int):
            kind = value
    return Piece(text, score, kind)


def _fields(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(wire)
        if size is None:
            if wire != LENGTH:
                raise ValueError(f"wire type {wire}")
            size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("a field ends behind the data")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
