"""Jobs side by side, a few at once, the others in the order they came."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

Job = Callable[[], Coroutine[Any, Any, None]]
NUDGE_S = 1.0  # before Python 3.12 `wait_for` may swallow a cancellation, which is then said again


@dataclass(frozen=True, slots=True)
class _Place:
    """A job, whose it is, and what is in use for it."""

    job: Job
    holder: str
    used: ExitStack


class Supervisor:
    """Owns the tasks of jobs; a job sees to its own errors.

    use: what a job needs, entered when it comes and left when it is over. each: most jobs of one
    holder at once, 0 is no limit but `at_once`; those of others go before its next.
    """

    def __init__(
        self,
        at_once: int,
        use: Callable[[], AbstractContextManager[None]] = nullcontext,
        each: int = 0,
    ) -> None:
        self._at_once = at_once
        self._use = use
        self._each = each
        self._queue: dict[str, _Place] = {}
        self._begun: dict[str, _Place] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def n_queued(self, holder: str = "") -> int:
        """How many jobs of a holder wait."""
        return sum(place.holder == holder for place in self._queue.values())

    def add(self, name: str, job: Job, holder: str = "") -> None:
        """Do a job as soon as there is room."""
        used = ExitStack()
        used.enter_context(self._use())
        self._queue[name] = _Place(job, holder, used)
        self._go_on()

    def drop(self, name: str) -> bool:
        """Take a job out of the queue; False when it is not waiting."""
        place = self._queue.pop(name, None)
        if place is not None:
            place.used.close()
        return place is not None

    async def cancel(self, name: str) -> None:
        """Cancel a job that is being done and wait for its clean-up."""
        task = self._tasks.get(name)
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=NUDGE_S)

    async def close(self) -> None:
        """Forget what waits and cancel the rest."""
        for name in list(self._queue):
            self.drop(name)
        await asyncio.gather(*(self.cancel(name) for name in list(self._tasks)))

    def _go_on(self) -> None:
        while len(self._tasks) < self._at_once and (name := self._next()) is not None:
            place = self._begun[name] = self._queue.pop(name)
            task = asyncio.ensure_future(place.job())
            self._tasks[name] = task
            task.add_done_callback(lambda _, name=name: self._done(name))  # type: ignore[misc]

    def _next(self) -> str | None:
        """The first in the queue whose holder may have one more."""
        busy = Counter(place.holder for place in self._begun.values())
        most = self._each or self._at_once
        return next((n for n, place in self._queue.items() if busy[place.holder] < most), None)

    def _done(self, name: str) -> None:
        del self._tasks[name]
        self._begun.pop(name).used.close()
        self._go_on()
