"""A server as a process: started, waited for, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.machine import family

START_S = 600.0  # a large model on a slow disk
STOP_S = 10.0
LONGEST_LINE = 1 << 20
KEPT_LINES = 5  # of what a server said before it died


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers."""

    url: str
    pid: int

    def pids(self) -> list[int]:
        """Its processes."""
        return family(self.pid)


@asynccontextmanager
async def serving(
    command: Sequence[str], environment: Mapping[str, str], answers: re.Pattern[str]
) -> AsyncIterator[Serving]:
    """Run a server until the block ends. It answers once it prints a line on stderr in which
    `answers` finds the URL as its first group. Raises Lacking when it ends before.
    """
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
    )  # fmt: skip
    assert process.stderr is not None
    drain: asyncio.Task[None] | None = None
    try:
        url = await asyncio.wait_for(_url(process.stderr, answers), START_S)
        drain = asyncio.create_task(_drain(process.stderr))
        yield Serving(url, process.pid)
    finally:
        await _stop(process)
        if drain is not None:  # a process of the server's own may hold the other end open
            await asyncio.wait({drain}, timeout=STOP_S)
            drain.cancel()


async def _url(stderr: asyncio.StreamReader, answers: re.Pattern[str]) -> str:
    said: deque[str] = deque(maxlen=KEPT_LINES)
    while line := (await stderr.readline()).decode(errors="replace"):
        if found := answers.search(line):
            return found[1]
        said.append(line.strip())
    raise Lacking(f"did not start: {' / '.join(said)}")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(1 << 16):
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
