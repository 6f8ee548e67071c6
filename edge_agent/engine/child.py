"""One life of the engine process: started, spoken to, collected, and its death explained."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from edge_agent.engine.params import LoadSpec
from edge_agent.engine.pipe import Load, frame, read

STDERR_LINES = 40  # of a dead engine, kept for the sentence that says why
STOP_S = 4.0  # for an engine to end by itself once its pipe is closed; it takes END_S at most
KILL_S = 5.0  # for the system to end one that was killed; longer only inside a hung driver
DRAIN_S = 1.0  # for the rest of what a dead engine printed
REAP_S = STOP_S + KILL_S + DRAIN_S
ENGINE = ("-m", "edge_agent.engine.process")
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
        self._exit = asyncio.create_task(process.wait())
        self._killed_because = ""
        self.dismissed = False  # told to end, as nobody needs it now

    @classmethod
    async def spawn(cls, spec: LoadSpec, command: Sequence[str] = ENGINE) -> Child:
        """Start a process that loads `spec`; raises OSError when none can be started.

        command: arguments to Python, before the number of the pipe's other end.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            pipe = await asyncio.open_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, *command, str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),), stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
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
    def killed(self) -> bool:
        """Whether it was ended from here, with `kill`."""
        return bool(self._killed_because)

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
        """The next message; None when the process is gone, or was killed from here."""
        try:
            return await read(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def dismiss(self) -> None:
        """Let the process end by itself, when it has put away what it was writing."""
        self.dismissed = True
        self._hang_up()

    def kill(self, why: str) -> None:
        """End the process at once; `why` is the sentence that `explain` will give."""
        self._killed_because = self._killed_because or why
        self._strike()
        self._hang_up()

    def _strike(self) -> None:
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                os.kill(self._process.pid, signal.SIGKILL)

    def _hang_up(self) -> None:
        # close() would first wait until a process that may have been stopped has read everything
        self._writer.transport.abort()

    async def reap(self) -> None:
        """Close our end, which ends the process, and collect it; takes REAP_S at most."""
        self._hang_up()
        # not wait_for: up to Python 3.11 it swallows a cancellation that comes with the result
        try:
            if not await _done(self._exit, STOP_S):
                self._strike()
                await _done(self._exit, KILL_S)
            # a pipe that was reset is no news, but who does not ask for it is told
            closed = asyncio.gather(
                self._writer.wait_closed(), self._errors, return_exceptions=True
            )
            await asyncio.wait({closed}, timeout=DRAIN_S)
        except asyncio.CancelledError:
            self._strike()  # whoever cancelled has no time; another reap may still collect it
            raise
        self._exit.cancel()
        self._errors.cancel()

    async def _keep_stderr(self) -> None:
        assert self._process.stderr is not None
        rest = ""
        while piece := await self._process.stderr.read(4096):
            *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
            self._stderr.extend(line for line in lines if line.strip())
        self._stderr.extend([rest] if rest.strip() else [])

    def explain(self) -> str:
        """One sentence on how the process ended, once reaped."""
        if self._killed_because:
            return self._killed_because
        by = self.signal
        how = f"of signal {by.name}" if by else f"with exit code {self._process.returncode}"
        last = self._last_words()
        return f"The engine process died {how}{f' (last words: {last})' if last else ''}."

    def _last_words(self) -> str:
        telling = [line for line in self._stderr if TELLING.search(line)]
        return (telling or list(self._stderr)[-1:] or [""])[0].strip()


async def _done(task: asyncio.Task[Any], timeout_s: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    return bool(done)
