"""What the two processes say to each other, and how it is framed.

Both ends are this program on a private socket pair, so frames are pickles: a length of four bytes,
then the object. Only ids and numbers travel, and sentences of errors.
"""

from __future__ import annotations

import pickle
import struct
from asyncio import StreamReader
from dataclasses import dataclass
from socket import socket
from typing import Any

from edge_agent.engine.params import (
    Computed,
    Edit,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
)
from edge_agent.errors import EdgeAgentError

LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Load:
    """To the engine, first of all."""

    spec: LoadSpec


@dataclass(frozen=True, slots=True)
class Submit:
    id: int
    prompt: tuple[int, ...]
    params: GenerateParams


@dataclass(frozen=True, slots=True)
class Cancel:
    id: int


@dataclass(frozen=True, slots=True)
class AskStats:
    id: int


@dataclass(frozen=True, slots=True)
class AskCounts:
    id: int


@dataclass(frozen=True, slots=True)
class AskRunning:
    id: int


@dataclass(frozen=True, slots=True)
class AskEdit:
    id: int
    edit: Edit


@dataclass(frozen=True, slots=True)
class StopThinking:
    """To the generation that was submitted as `target`."""

    id: int
    target: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by the thread that listens, so also while a step runs."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the engine: the model is loaded and has computed its first tokens."""

    info: ModelInfo


@dataclass(frozen=True, slots=True)
class LoadFailed:
    message: str


@dataclass(frozen=True, slots=True)
class Output:
    id: int
    item: Tokens | Computed | Finished | EdgeAgentError


@dataclass(frozen=True, slots=True)
class Written:
    """What one step produced for all its sequences: one message, so that the server wakes once and
    takes the cores from the next step once."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """To one Ask: a value, or the error it ended in."""

    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Pong:
    """still_s: seconds since the engine last finished a step (or began to have work)."""

    still_s: float
    has_work: bool


def frame(message: Any) -> bytes:
    """The bytes of one message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def read_blocking(pipe: socket) -> Any:
    """The next message; None when the other end is gone."""
    head = _read_exactly(pipe, LENGTH.size)
    body = _read_exactly(pipe, LENGTH.unpack(head)[0]) if head else b""
    return pickle.loads(body) if body else None


def _read_exactly(pipe: socket, n: int) -> bytes:
    parts = bytearray()
    while len(parts) < n:
        try:
            piece = pipe.recv(n - len(parts))
        except ConnectionError:  # an end that is closed with something unread resets the other
            return b""
        if not piece:
            return b""
        parts += piece
    return bytes(parts)


async def read(reader: StreamReader) -> Any:
    """The next message; raises asyncio.IncompleteReadError when the other end is gone."""
    head = await reader.readexactly(LENGTH.size)
    return pickle.loads(await reader.readexactly(LENGTH.unpack(head)[0]))
