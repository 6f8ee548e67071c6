"""The thread that writes to the shelf, so that no step waits for the disk."""

from __future__ import annotations

import contextlib
import queue
import threading
import time

from edge_agent.engine.kv.cells import Ids
from edge_agent.engine.kv.shelf import Shelf
from edge_agent.engine.kv.statefile import State

PENDING = 2  # states that wait for the writer; one more is being written


class ShelfWriter:
    """Puts states on a shelf, one after the other, from a thread of its own."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._inbox: queue.Queue[tuple[Ids, State] | None] = queue.Queue(PENDING)
        self._pending: set[bytes] = set()
        self._thread = threading.Thread(target=self._run, name="shelf-writer", daemon=True)
        self._thread.start()

    def write(self, ids: Ids, state: State) -> None:
        """Write it soon; dropped when it waits already, or when too many others do."""
        if ids.tobytes() not in self._pending:
            with contextlib.suppress(queue.Full):
                self._pending.add(ids.tobytes())
                self._inbox.put_nowait((ids, state))
                return
            self._pending.discard(ids.tobytes())

    def close(self, timeout_s: float) -> None:
        """Write what waits and end, within `timeout_s` seconds; what takes longer is given up."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._inbox.put(None, timeout=timeout_s)
        self._thread.join(max(deadline - time.monotonic(), 0))

    def _run(self) -> None:
        while (job := self._inbox.get()) is not None:
            self._shelf.put(*job)
            self._pending.discard(job[0].tobytes())
