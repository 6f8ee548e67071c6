"""Calls that wait for a word from a person who looks at a list of them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.errors import NotFound
from edge_agent.tools.mcp.approval import Asked

WAIT_S = 120.0  # for a word, once asked
LOOKED_S = 30.0  # who has looked at the list since then is held to be there


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call under its id. since: seconds of the Unix clock."""

    id: str
    asked: Asked
    since: float


class ApprovalDesk:
    """An `Approver`. Someone is there as long as the list is looked at now and then; else no call
    waits, so that an unattended device is not held up."""

    def __init__(self, wait_s: float = WAIT_S, now: Callable[[], float] = time.monotonic) -> None:
        self._wait_s = wait_s
        self._now = now
        self._looked = -LOOKED_S
        self._waiting: dict[str, tuple[Waiting, asyncio.Future[bool]]] = {}
        self._always: set[tuple[str, str]] = set()

    @property
    def present(self) -> bool:
        return self._now() - self._looked < LOOKED_S

    def look(self) -> list[Waiting]:
        """What waits, in the order it came."""
        self._looked = self._now()
        return [waiting for waiting, _ in self._waiting.values()]

    def decide(self, id: str, allow: bool, always: bool = False) -> None:
        """Let a call go on or not; always: and every later call of its tool. Raises NotFound."""
        if id not in self._waiting:
            raise NotFound(f"No call {id!r} waits: it was decided, or gave up waiting.")
        waiting, word = self._waiting[id]
        if allow and always:
            self._always.add((waiting.asked.server, waiting.asked.tool))
        if not word.done():
            word.set_result(allow)

    async def allows(self, asked: Asked) -> bool:
        if (asked.server, asked.tool) in self._always:
            return True
        if not self.present:
            return False
        waiting = Waiting(f"ask_{secrets.token_hex(8)}", asked, round(time.time(), 3))
        word: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[waiting.id] = (waiting, word)
        try:
            return await asyncio.wait_for(word, self._wait_s)
        except asyncio.TimeoutError:
            return False
        finally:
            del self._waiting[waiting.id]
