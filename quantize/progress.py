"""How far a long piece of work has come: a line on a terminal, nothing in a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

# what is being done, how much of it is done, how much there is; in bytes, tensors or tokens
Progress = Callable[[str, int, int], None]
EVERY_S = 0.1
BAR = 24


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Line:
    """A bar on `stream`, drawn over itself and removed at the end; silent where it is no
    terminal."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._shown = -EVERY_S
        self._width = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """See `Progress`."""
        now = self._now()
        if not self._stream.isatty() or (now - self._shown < EVERY_S and done < total):
            return
        self._shown = now
        self._draw(line_of(what, done, total))
        if done >= total:
            self.clear()

    def clear(self) -> None:
        """Leave an empty line."""
        if self._width:
            self._draw("")

    def _draw(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def line_of(what: str, done: int, total: int) -> str:
    """`convert [#####     ]  52 %`."""
    share = min(1.0, done / total) if total else 1.0
    return f"{what} [{'#' * round(share * BAR):<{BAR}}] {share:4.0%}"
