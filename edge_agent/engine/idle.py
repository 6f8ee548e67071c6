"""When an engine was last wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Idle:
    """Counts the seconds in which nobody wants the engine.

    after_s: so many of them are enough; None never is. `busy` says whether something is in flight
    that was not told by `use`.
    """

    def __init__(self, after_s: float | None, busy: Callable[[], bool]) -> None:
        self._after_s = after_s
        self._busy = busy
        self._users = 0
        self._since = 0.0

    def touch(self) -> None:
        """It is wanted now."""
        self._since = asyncio.get_running_loop().time()

    @contextmanager
    def use(self) -> Iterator[None]:
        """It is wanted while the block runs."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self.touch()

    def left_s(self) -> float:
        """Seconds until it has been idle for long enough, if nobody comes; 0 or less: it has.

        Whoever is seen to want it starts the time anew.
        """
        if self._after_s is None:
            return float("inf")
        if self._users or self._busy():
            self.touch()
        return self._since + self._after_s - asyncio.get_running_loop().time()

    async def long_enough(self) -> None:
        """Wait until it has been idle for so long, from now on at the earliest."""
        self.touch()
        while (left_s := self.left_s()) > 0:
            await asyncio.sleep(min(left_s, 3600.0))
