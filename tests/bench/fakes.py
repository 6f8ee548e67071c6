"""A contender that never starts, for what is decided without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.subject import Kind, Subject
from edge_agent.engine.params import LoadSpec


@dataclass(frozen=True, slots=True)
class Absent:
    """See `Contender`."""

    name: str = "absent"
    kind: Kind = "peer"

    @asynccontextmanager
    async def open(self, spec: LoadSpec) -> AsyncIterator[Subject]:
        raise Lacking("did not start")
        yield
