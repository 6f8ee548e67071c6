"""Calls that wait for a word from a person who looks at a list of them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection
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
    """An `Approver`, at which every holder sees and decides what its own runs want to call.

    Someone is there as long as the list is looked at now and then; else no call waits, so that an
    unattended device is not held up. holders: whose things whoever looks may see.
    """

    def __init__(self, wait_s: float = WAIT_S, now: Callable[[], float] = time.monotonic) -> None:
        self._wait_s = wait_s
        self._now = now
        self._looked: dict[str, float] = {}  # when each holder did last
        self._waiting: dict[str, tuple[Waiting, asyncio.Future[bool]]] = {}
        self._always: set[tuple[str, str, str]] = set()

    def is_there(self, holder: str) -> bool:
        looked = self._looked.get(holder)
        return looked is not None and self._now() - looked < LOOKED_S

    def look(self, holders: Collection[str] = ("",)) -> list[Waiting]:
        """What waits, in the order it came."""
        self._looked |= dict.fromkeys(holders, self._now())
        return [waiting for waiting, _ in self._waiting.values() if waiting.asked.holder in holders]

    def decide(
        self, id: str, allow: bool, always: bool = False, holders: Collection[str] = ("",)
    ) -> None:
        """Let a call go on or not; always: and every later call of its tool by its holder.

        Raises NotFound, for another's call too.
        """
        found = self._waiting.get(id)
        if found is None or found[0].asked.holder not in holders:
            raise NotFound(f"No call {id!r} waits: it was decided, or gave up waiting.")
        waiting, word = found
        if allow and always:
            self._always.add(_kind(waiting.asked))
        if not word.done():
            word.set_result(allow)

    async def allows(self, asked: Asked) -> bool:
        if _kind(asked) in self._always:
            return True
        if not self.is_there(asked.holder):
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


def _kind(asked: Asked) -> tuple[str, str, str]:
    """What a word for always holds for."""
    return asked.holder, asked.server, asked.tool
