"""How long the tests wait for what must come."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

# what hangs takes so long, and nothing else does, even where other programs hold the cores
HANG_S = 60.0


async def until(condition: Callable[[], bool], seconds: float = HANG_S) -> None:
    """Wait for what other tasks, threads or processes do; fails when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Whether no process has this number any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def strike(pid: int | None, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that must be there; `os.kill` of 0 would hit the tests."""
    assert pid, "there is no process to strike"
    os.kill(pid, number)
