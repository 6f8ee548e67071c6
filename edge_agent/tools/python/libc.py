"""The C library, called directly: what the os module lacks."""

from __future__ import annotations

import ctypes
import os


class LibC:
    """Calls that raise OSError."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(None, use_errno=True)

    def call(self, name: str, *arguments: object) -> int:
        """A function by its name. Integers go as C longs, texts as UTF-8, None as NULL."""
        function = getattr(self._lib, name)
        function.restype = ctypes.c_long
        result: int = function(*(_as_c(argument) for argument in arguments))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
        return result

    def syscall(self, number: int, *arguments: object) -> int:
        """A system call by its number."""
        return self.call("syscall", number, *arguments)


def _as_c(argument: object) -> object:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return argument.encode() if isinstance(argument, str) else argument
