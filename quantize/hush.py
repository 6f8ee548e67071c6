"""llama.cpp's log while something runs: collected instead of printed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llama_cpp import llama_cpp as lib

ERROR = 4  # enum ggml_log_level of ggml.h
# llama.cpp keeps the last callback for as long as the process lives
_ALIVE: list[Any] = []


def listen(hear: Callable[[int, str], None]) -> None:
    """From now on every piece of the log goes to `hear(level, text)`."""

    def receive(level: int, text: bytes, _user: object) -> None:
        hear(level, text.decode(errors="replace"))

    _ALIVE.append(lib.llama_log_callback(receive))
    lib.llama_log_set(_ALIVE[-1], ctypes.c_void_p(0))


@contextmanager
def hushed() -> Iterator[list[str]]:
    """The lines of errors that are logged within the block."""
    said: list[str] = []

    def hear(level: int, text: str) -> None:
        if level == ERROR and text.strip():
            said.append(text.strip())

    listen(hear)
    try:
        yield said
    finally:
        listen(lambda level, text: None)
