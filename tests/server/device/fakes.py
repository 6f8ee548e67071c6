"""A device that tells what it is told to, and counts who used it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge_agent.engine.counts import Counts, Running
from edge_agent.server.device.device import Facts


@dataclass
class FakeDevice:
    """Implements Device."""

    facts: Facts = field(default_factory=lambda: Facts("models/fake.gguf", 2, True))
    is_sleeping: bool = False
    told: Counts = field(default_factory=Counts)
    runs: tuple[Running, ...] = ()
    uses: int = 0
    users: int = 0

    @contextmanager
    def use(self) -> Iterator[None]:
        self.is_sleeping = False
        self.uses += 1
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1

    async def counts(self) -> Counts:
        return self.told

    async def running(self) -> tuple[Running, ...]:
        return self.runs
