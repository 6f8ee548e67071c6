"""What one fetch may take of time and memory, and what all of them together may."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType

MIB = 2**20
AT_ONCE = 128  # fetches under way; the others wait for their turn
LARGE_BYTES = 512 * 1024  # bodies up to this size are held side by side without asking
LARGE_AT_ONCE = 2  # larger ones are read so many at a time
LARGE_WAITING = 8  # and so many wait for that; what else is large is given up


class CrowdedError(Exception):
    """Too many large bodies are waiting already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Seconds to connect, until the response's head is there, between two reads, and in all, with
    every redirect and the wait for a turn; bytes on the wire and again unpacked.

    slow_s and slow_rate: a body that has come, on average over so many seconds, at fewer bytes a
    second than this is given up, so that a server cannot hold a fetch with a byte now and then.
    """

    connect_s: float = 10.0
    first_byte_s: float = 15.0
    read_s: float = 15.0
    total_s: float = 45.0
    max_wire_bytes: int = 16 * MIB
    max_bytes: int = 24 * MIB
    slow_s: float = 10.0
    slow_rate: float = 256.0


class Large:
    """How many large bodies are in memory at once, whatever is asked for."""

    def __init__(
        self,
        at_once: int = LARGE_AT_ONCE,
        waiting: int = LARGE_WAITING,
        from_bytes: int = LARGE_BYTES,
    ) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._room = waiting
        self._from_bytes = from_bytes

    def lease(self) -> Lease:
        """One body's claim; held from when it turns out to be large until the block is left."""
        return Lease(self)

    def is_large(self, n_bytes: int) -> bool:
        """Whether a body of this size needs a turn."""
        return n_bytes > self._from_bytes

    async def take(self) -> None:
        """Wait for a turn. Raises CrowdedError when too many wait for one."""
        if self._room == 0:
            raise CrowdedError
        self._room -= 1
        try:
            await self._turns.acquire()
        finally:
            self._room += 1

    def give(self) -> None:
        """Let the next one have the turn."""
        self._turns.release()


class Lease:
    """See `Large.lease`."""

    def __init__(self, large: Large) -> None:
        self._large = large
        self._held = False

    async def grow(self, n_bytes: int) -> None:
        """Wait until a body of this size may be held. Raises CrowdedError."""
        if not self._held and self._large.is_large(n_bytes):
            await self._large.take()
            self._held = True

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held:
            self._large.give()
            self._held = False
