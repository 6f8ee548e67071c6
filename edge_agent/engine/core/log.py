"""llama.cpp's log: lines go to whoever listened last."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from llama_cpp import llama_cpp as lib

Hear = Callable[[int, str], None]
# llama.cpp keeps a pointer to the last callback for as long as the process lives, whatever becomes
# of the model that set it
_ALIVE: list[Any] = []


def listen(hear: Hear) -> None:
    """From now on every line goes to `hear(level, text)`; levels are those of ggml.h."""

    def receive(level: int, text: bytes, _user: object) -> None:
        hear(level, text.decode(errors="replace"))

    _ALIVE.append(lib.llama_log_callback(receive))
    lib.llama_log_set(_ALIVE[-1], ctypes.c_void_p(0))
