"""A server as a process: started, waited for, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.machine import family

START_S = 600.0  # a large model on a slow disk
STOP_S = 10.0
LOOK_S = 0.05
LONGEST = 1 << 20  # bytes of what a server says before it answers
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
    # a file, not a pipe: nobody has to read on, and processes that outlive the server hold nothing
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        try:
            url = await asyncio.wait_for(_url(process, said, answers), START_S)
            yield Serving(url, process.pid)
        finally:
            await _stop(process)


async def _url(
    process: asyncio.subprocess.Process, said: IO[bytes], answers: re.Pattern[str]
) -> str:
    while True:
        ended = process.returncode is not None
        text = _text(said)
        if found := answers.search(text):
            return found[1]
        if ended:
            raise Lacking(f"did not start: {' / '.join(text.splitlines()[-KEPT_LINES:])}")
        await asyncio.sleep(LOOK_S)


def _text(said: IO[bytes]) -> str:
    # read at an offset: seeking would move where the server writes
    return os.pread(said.fileno(), LONGEST, 0).decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
