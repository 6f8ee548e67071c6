"""Python in a process that reaches nothing: begun, listened to within limits, killed whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_agent.errors import ToolError
from edge_agent.tools.python.order import CONFINED, MIB, Order

ROOT = str(Path(__file__).resolve().parents[3])
BEGIN = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from edge_agent.tools.python.child import main; del sys.path[0]; main()"
)
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo")
SINGLE = ("/etc/ld.so.cache", "/etc/localtime")
KILLED_S = 5.0  # a killed process is gone by then
CHUNK = 65_536

Ended = Literal["done", "time", "output"]


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one run: wall clock and processor time, memory, what it prints, what it writes.

    worlds, landlock: which ways to close the files are tried.
    """

    seconds: float = 20.0
    memory_mib: int = 1024
    output_chars: int = 20_000
    files_mib: int = 32
    worlds: bool = True
    landlock: bool = True


@dataclass(frozen=True, slots=True)
class Ran:
    """What code has printed, and how it ended. confined: by what it was held."""

    stdout: str
    stderr: str
    status: int
    ended: Ended
    confined: str


class NotConfined(ToolError):
    """The machine cannot hold the process; nothing was run."""


class Sandbox:
    """Runs code, each time in a new process."""

    def __init__(self, caps: Caps | None = None) -> None:
        self._caps = caps or Caps()

    async def run(self, code: str) -> Ran:
        """Raises NotConfined, and runs nothing then."""
        with tempfile.TemporaryDirectory(prefix="edge-agent-python-") as root:
            read, write = os.pipe()
            try:
                process = await self._begun(root, write)
            finally:
                os.close(write)
            try:
                return await self._finished(process, code, read)
            finally:
                os.close(read)
                if process.returncode is None:
                    await _kill(process)

    async def _begun(self, root: str, status: int) -> asyncio.subprocess.Process:
        caps = self._caps
        order = Order(
            root,
            readable_paths(),
            status,
            worlds=caps.worlds,
            landlock=caps.landlock,
            cpu_s=int(caps.seconds) + 1,
            memory=caps.memory_mib * MIB,
            file_size=caps.files_mib * MIB,
        )
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-B", "-X", "utf8", "-c", BEGIN, ROOT, order.as_json()),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            pass_fds=(status,),
            start_new_session=True,
            cwd=root,
            env={"PATH": "", "HOME": "/tmp", "LANG": "C.UTF-8", **ONE_THREAD},
        )

    async def _finished(self, process: asyncio.subprocess.Process, code: str, status: int) -> Ran:
        out, err = _Ear(self._caps.output_chars), _Ear(self._caps.output_chars)
        heard = (out.hear(process.stdout), err.hear(process.stderr))
        work = (_write(process, code), *heard, process.wait())
        tasks = [asyncio.ensure_future(each) for each in work]
        ended: Ended = "done"
        try:
            await asyncio.wait_for(asyncio.gather(*tasks), self._caps.seconds)
        except asyncio.TimeoutError:
            ended = "time"
        except _TooMuch:
            ended = "output"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _kill(process)
        said = _said(status)
        if not said.startswith(CONFINED):
            why = said or err.text.strip().rsplit("\n", 1)[-1] or "it does not say why"
            raise NotConfined(f"Python is off, because it cannot be confined here: {why}.")
        confined = said.removeprefix(CONFINED)
        return Ran(out.text, err.text, process.returncode or 0, ended, confined)


# a library that starts a thread per core for a sum would only fight over this device's cores
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def readable_paths() -> tuple[str, ...]:
    """What an interpreter needs: its own library, the packages beside it, the system's."""
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own += [str(Path(sys.base_prefix) / "lib"), str(Path(sys.base_exec_prefix) / "lib")]
    real = [str(Path(path).resolve()) for path in (*own, *SYSTEM, *SINGLE)]
    return tuple(dict.fromkeys((*own, *SYSTEM, *SINGLE, *real)))


class _TooMuch(Exception):
    """More was printed than is kept."""


class _Ear:
    """Hears a stream up to a limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heard = b""

    async def hear(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (chunk := await stream.read(CHUNK)):
            self._heard += chunk
            if len(self._heard) > self._most:
                self._heard = self._heard[: self._most]
                raise _TooMuch

    @property
    def text(self) -> str:
        return self._heard.decode("utf-8", "replace")


async def _write(process: asyncio.subprocess.Process, code: str) -> None:
    if process.stdin is None:
        return
    with suppress(ConnectionError):
        process.stdin.write(code.encode("utf-8", "replace"))
        await process.stdin.drain()
    process.stdin.close()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole group. With the first of the new world ends everything in it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_gone(process), KILLED_S)


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Read what it left in its pipes: for asyncio it is gone only when they are at their ends."""
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(CHUNK):
            pass
    await process.wait()


def _said(status: int) -> str:
    os.set_blocking(status, False)
    try:
        return os.read(status, 4096).decode("utf-8", "replace")
    except BlockingIOError:
        return ""
