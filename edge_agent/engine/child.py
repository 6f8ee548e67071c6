"""One life of the engine process: started, spoken to, collected, and its death explained."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections import deque
from typing import Any, TypeAlias

from edge_agent.engine.params import LoadSpec
from edge_agent.engine.pipe import Load, frame, read

# How often an OpenMP thread of the engine looks before it sleeps while it waits for the others.
# 1.5B Q4_K_M on 2 cores, tokens/s decoded idle and with another program on one core: by default 27
# and 8, with this 23 and 16, with OMP_WAIT_POLICY=passive 17 and 15 (benchmarks/RESULTS.md).
SPIN_COUNT = "200"
STDERR_LINES = 40  # of a dead engine, kept for the sentence that says why
STOP_S = 5.0
Pipe: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# the line that says why, among those a dying process prints: a failed assertion is followed by a
# backtrace, and an exception of Python is the last line of one
TELLING = re.compile(r"GGML_ASSERT|GGML_ABORT|terminate called|what\(\):")
# what a kernel that the processor cannot run ends in
BAD_KERNEL = frozenset({signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE})


class Child:
    """An engine process and our end of its pipe."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: Pipe) -> None:
        self._process = process
        self._reader, self._writer = pipe
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._errors = asyncio.create_task(self._keep_stderr())

    @classmethod
    async def spawn(cls, spec: LoadSpec) -> Child:
        """Start a process that loads `spec`; raises OSError when none can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            pipe = await asyncio.open_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "edge_agent.engine.process", str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),), stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                    env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
                )  # fmt: skip
            except BaseException:
                pipe[1].close()
                raise
        child = cls(process, pipe)
        child.send(Load(spec))
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def signal(self) -> signal.Signals | None:
        """The signal it died of, once reaped."""
        code = self._process.returncode
        return signal.Signals(-code) if code is not None and code < 0 else None

    def send(self, message: Any) -> None:
        """Write a message; one to an engine that just died is lost, which its reader notices."""
        if not self._writer.is_closing():
            self._writer.write(frame(message))

    async def read(self) -> Any:
        """The next message; None when the process is gone."""
        try:
            return await read(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def reap(self) -> None:
        """Close our end, which ends the process, and collect it."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        await asyncio.wait({self._errors})

    async def _keep_stderr(self) -> None:
        assert self._process.stderr is not None
        rest = ""
        while piece := await self._process.stderr.read(4096):
            *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
            self._stderr.extend(line for line in lines if line.strip())
        self._stderr.extend([rest] if rest.strip() else [])

    def explain(self) -> str:
        """One sentence on how the process ended, once reaped."""
        by = self.signal
        how = f"of signal {by.name}" if by else f"with exit code {self._process.returncode}"
        last = self._last_words()
        return f"The engine process died {how}{f' (last words: {last})' if last else ''}."

    def _last_words(self) -> str:
        telling = [line for line in self._stderr if TELLING.search(line)]
        return (telling or [*self._stderr, ""][-1:])[0].strip()
