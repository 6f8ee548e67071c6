"""The server's side of the engine: submit, read, cancel; and the process kept alive behind it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from edge_agent.engine.params import Finished, GenerateParams, LoadSpec, ModelInfo, Tokens
from edge_agent.engine.pipe import (
    AskStats,
    Cancel,
    Load,
    LoadFailed,
    Output,
    Ready,
    Stats,
    Submit,
    frame,
    read,
)
from edge_agent.errors import EdgeAgentError, EngineCrashed, ModelLoadError

BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before the n-th restart in a row
STABLE_S = 60.0  # an engine that lived this long counts as healthy again
STDERR_LINES = 12  # of a dead engine, kept for the sentence that says why
STOP_S = 5.0

State = Literal["loading", "ready", "restarting", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What /health says. `detail` is a sentence when the state is not "ready"."""

    state: State
    detail: str
    restarts: int
    pid: int | None


class EngineClient:
    """An engine process that is started, watched, and started again when it dies.

    Requests in flight when it dies end in EngineCrashed; those that come while it restarts wait.
    """

    def __init__(
        self, spec: LoadSpec, notice: Callable[[str], None], restart_s: Sequence[float] = BACKOFF_S
    ) -> None:
        self._spec = spec
        self._notice = notice
        self._backoff_s = restart_s
        self._ids = itertools.count(1)
        self._streams: dict[int, asyncio.Queue[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._info: ModelInfo | None = None
        self._ready = asyncio.Event()
        self._failure: EdgeAgentError | None = None
        self._restarts = 0
        self._state: State = "loading"
        self._keeper: asyncio.Task[None] | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)

    async def start(self) -> None:
        """Start the process and wait until the model answers; raises ModelLoadError."""
        self._keeper = asyncio.create_task(self._keep())
        await self._until_ready()

    @property
    def info(self) -> ModelInfo:
        """What was loaded; known once `start` has returned."""
        if self._info is None:
            raise EngineCrashed("The engine has not been started: await start() first.")
        return self._info

    @property
    def status(self) -> EngineStatus:
        detail = str(self._failure) if self._failure and self._state != "ready" else ""
        pid = self._process.pid if self._process and self._state == "ready" else None
        return EngineStatus(self._state, detail, self._restarts, pid)

    async def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Finished, None]:
        """See `params.TokenEngine.submit`."""
        await self._until_ready()
        id, items = self._open()
        ended = False
        try:
            self._send(Submit(id, tuple(prompt), params))
            while not ended:
                item = await items.get()
                ended = not isinstance(item, Tokens)
                if isinstance(item, EdgeAgentError):
                    raise item
                yield item
        finally:
            self._streams.pop(id, None)
            if not ended:
                self._send(Cancel(id))

    async def stats(self) -> dict[str, int]:
        """The engine's counts (see `Engine.stats`)."""
        await self._until_ready()
        id, items = self._open()
        try:
            self._send(AskStats(id))
            item = await items.get()
        finally:
            self._streams.pop(id, None)
        if isinstance(item, EdgeAgentError):
            raise item
        counts: dict[str, int] = item
        return counts

    async def close(self) -> None:
        """End the process; requests in flight end in EngineCrashed."""
        self._state = "closed"
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._reap()
        self._fail_streams(EngineCrashed("The engine was closed."))

    def _open(self) -> tuple[int, asyncio.Queue[Any]]:
        id = next(self._ids)
        self._streams[id] = asyncio.Queue()
        return id, self._streams[id]

    def _send(self, message: Any) -> None:
        # a write to an engine that just died is not an error here: its streams are failed when
        # the reader sees the end of the pipe
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(message))

    async def _until_ready(self) -> None:
        await self._ready.wait()
        if self._state in ("failed", "closed"):
            raise self._failure or EngineCrashed("The engine was closed.")

    async def _keep(self) -> None:
        """Run engine after engine until one cannot be loaded or the client is closed."""
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._run_one()
            except ModelLoadError as error:
                return self._give_up(error)
            failures = 1 if loop.time() - began > STABLE_S else failures + 1
            await self._reap()
            self._lost(await self._explain())
            await asyncio.sleep(self._backoff_s[min(failures, len(self._backoff_s)) - 1])

    async def _run_one(self) -> None:
        """One life of the process: returns when the pipe ends."""
        reader = await self._spawn()
        try:
            first = await read(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._reap()
            return await self._died_loading()
        if isinstance(first, LoadFailed):
            raise ModelLoadError(first.message)
        self._on_ready(first)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._deliver(await read(reader))

    async def _spawn(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "edge_agent.engine.process", str(theirs.fileno()),
                pass_fds=(theirs.fileno(),), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        self._stderr.clear()
        self._errors = asyncio.create_task(self._keep_stderr(self._process))
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._send(Load(self._spec))
        return reader

    async def _keep_stderr(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._stderr.append(line.decode(errors="replace").rstrip())

    def _on_ready(self, message: Ready) -> None:
        self._info, self._failure, self._state = message.info, None, "ready"
        self._ready.set()

    def _deliver(self, message: Output | Stats) -> None:
        items = self._streams.get(message.id)
        if items is not None:
            items.put_nowait(message.item if isinstance(message, Output) else message.counts)

    async def _died_loading(self) -> None:
        """A crash before the first token is most often a kernel this processor cannot run."""
        why = await self._explain()
        if not self._spec.use_extra_bufts:
            raise ModelLoadError(f"{self._spec.path} could not be loaded. {why}")
        self._spec = replace(self._spec, use_extra_bufts=False)
        self._notice(
            f"{why} Trying again without llama.cpp's repacked CPU kernels (slower): rebuild "
            "llama-cpp-python with -mno-amx-tile -mno-amx-int8 -mno-amx-bf16 to have them."
        )

    async def _explain(self) -> str:
        """One sentence on how the process ended."""
        code = self._process.returncode if self._process else None
        if code is None or code >= 0:
            how = f"with exit code {code}"
        else:
            how = f"of signal {signal.Signals(-code).name}"
        last = f" (last words: {self._stderr[-1]})" if self._stderr else ""
        return f"The engine process died {how}{last}."

    def _lost(self, why: str) -> None:
        self._restarts += 1
        self._state = "restarting"
        self._ready.clear()
        self._failure = EngineCrashed(f"{why} It is being restarted: send the request again.")
        self._notice(str(self._failure))
        self._fail_streams(self._failure)

    def _give_up(self, error: ModelLoadError) -> None:
        self._failure, self._state = error, "failed"
        self._ready.set()
        self._fail_streams(error)

    def _fail_streams(self, error: EdgeAgentError) -> None:
        for items in self._streams.values():
            items.put_nowait(error)

    async def _reap(self) -> None:
        """Close our end, which ends the process, and collect it."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        process = self._process
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
        await self._errors
