"""The requests in flight: where what the engine sends is waited for."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from edge_agent.errors import EdgeAgentError


class Streams:
    """A queue for each request that waits for something, under the request's id."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._queues: dict[int, asyncio.Queue[Any]] = {}
        self._idle: set[int] = set()

    def __len__(self) -> int:
        return len(self._queues)

    def is_busy(self) -> bool:
        """Whether any of them makes use of the engine."""
        return len(self._queues) > len(self._idle)

    def open(self, is_use: bool = True) -> tuple[int, asyncio.Queue[Any]]:
        """A new id, and where what comes for it is put. is_use: False only looks at the engine."""
        id = next(self._ids)
        if not is_use:
            self._idle.add(id)
        self._queues[id] = asyncio.Queue()
        return id, self._queues[id]

    def close(self, id: int) -> None:
        """Nobody waits for this any more; what still comes for it is dropped."""
        self._queues.pop(id, None)
        self._idle.discard(id)

    def deliver(self, id: int, item: Any) -> None:
        if (items := self._queues.get(id)) is not None:
            items.put_nowait(item)

    def fail(self, error: EdgeAgentError) -> None:
        """The last thing that comes for each of them."""
        for items in self._queues.values():
            items.put_nowait(error)
        self._queues.clear()
        self._idle.clear()
