"""Jobs side by side, a few at once, the others in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Job = Callable[[], Coroutine[Any, Any, None]]
NUDGE_S = 1.0  # before Python 3.12 `wait_for` may swallow a cancellation, which is then said again


class Supervisor:
    """Owns the tasks of jobs; a job sees to its own errors."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._queue: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def n_queued(self) -> int:
        return len(self._queue)

    def add(self, name: str, job: Job) -> None:
        """Do a job as soon as there is room."""
        self._queue[name] = job
        self._go_on()

    def drop(self, name: str) -> bool:
        """Take a job out of the queue; False when it is not waiting."""
        return self._queue.pop(name, None) is not None

    async def cancel(self, name: str) -> None:
        """Cancel a job that is being done and wait for its clean-up."""
        task = self._tasks.get(name)
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=NUDGE_S)

    async def close(self) -> None:
        """Forget what waits and cancel the rest."""
        self._queue.clear()
        await asyncio.gather(*(self.cancel(name) for name in list(self._tasks)))

    def _go_on(self) -> None:
        while self._queue and len(self._tasks) < self._at_once:
            name = next(iter(self._queue))
            task = asyncio.ensure_future(self._queue.pop(name)())
            self._tasks[name] = task
            task.add_done_callback(lambda _, name=name: self._done(name))  # type: ignore[misc]

    def _done(self, name: str) -> None:
        del self._tasks[name]
        self._go_on()
