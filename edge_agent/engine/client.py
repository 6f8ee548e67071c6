"""The server's side of the engine: submit, read, cancel; and the process kept alive behind it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from edge_agent.engine.child import BAD_KERNEL, Child
from edge_agent.engine.params import (
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
)
from edge_agent.engine.pipe import (
    Answer,
    AskEdit,
    AskStats,
    Cancel,
    LoadFailed,
    Output,
    Pong,
    Ready,
    StopThinking,
    Submit,
)
from edge_agent.errors import EdgeAgentError, EngineCrashed, ModelLoadError

BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before the n-th restart in a row
STABLE_S = 60.0  # an engine that lived this long counts as healthy again
CLOSED = "The engine was closed."

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
    When it cannot be loaded again they get the reason at once, and loading is tried again later.
    """

    def __init__(
        self, spec: LoadSpec, notice: Callable[[str], None], restart_s: Sequence[float] = BACKOFF_S
    ) -> None:
        self._spec = spec
        self._notice = notice
        self._backoff_s = restart_s
        self._ids = itertools.count(1)
        self._streams: dict[int, asyncio.Queue[Any]] = {}
        self._named: dict[str, int] = {}
        self._child: Child | None = None
        self._info: ModelInfo | None = None
        self._ready = asyncio.Event()
        self._failure: EdgeAgentError | None = None
        self._restarts = 0
        self._state: State = "loading"
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and wait until the model answers; raises ModelLoadError."""
        self._keeper = asyncio.create_task(self._keep())
        await self._until_ready()

    @property
    def spec(self) -> LoadSpec:
        """How the engine is loaded, which may be more careful than what was asked for."""
        return self._spec

    @property
    def info(self) -> ModelInfo:
        """What was loaded; known once `start` has returned."""
        if self._info is None:
            raise EngineCrashed("The engine has not been started: await start() first.")
        return self._info

    @property
    def status(self) -> EngineStatus:
        detail = str(self._failure) if self._failure and self._state != "ready" else ""
        pid = self._child.pid if self._child and self._state == "ready" else None
        return EngineStatus(self._state, detail, self._restarts, pid)

    async def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Finished, None]:
        """See `params.TokenEngine.submit`."""
        await self._until_ready()
        id, items = self._open()
        running = params.n
        if params.name:
            self._named[params.name] = id
        try:
            self._send(Submit(id, tuple(prompt), params))
            while running:
                item = await items.get()
                if isinstance(item, EdgeAgentError):
                    running = 0
                    raise item
                running -= isinstance(item, Finished)
                yield item
        finally:
            self._streams.pop(id, None)
            if self._named.get(params.name) == id:
                del self._named[params.name]
            if running:
                self._send(Cancel(id))

    async def edit(self, edit: Edit) -> Edited:
        """See `params.TokenEngine.edit`."""
        edited: Edited = await self._ask(lambda id: AskEdit(id, edit))
        return edited

    async def stop_thinking(self, name: str) -> bool:
        """See `params.TokenEngine.stop_thinking`."""
        target = self._named.get(name)
        if target is None:
            return False
        return bool(await self._ask(lambda id: StopThinking(id, target)))

    async def stats(self) -> dict[str, int]:
        """The engine's counts (see `Engine.stats`)."""
        counts: dict[str, int] = await self._ask(AskStats)
        return counts

    async def _ask(self, question: Callable[[int], Any]) -> Any:
        """Send `question(id)` and wait for its answer, or raise the error that is the answer."""
        await self._until_ready()
        id, items = self._open()
        try:
            self._send(question(id))
            item = await items.get()
        finally:
            self._streams.pop(id, None)
        if isinstance(item, EdgeAgentError):
            raise item
        return item

    async def close(self) -> None:
        """End the process; requests in flight or waiting end in EngineCrashed."""
        self._state, self._failure = "closed", EngineCrashed(CLOSED)
        self._ready.set()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._reap()
        self._fail_streams(self._failure)

    def _open(self) -> tuple[int, asyncio.Queue[Any]]:
        id = next(self._ids)
        self._streams[id] = asyncio.Queue()
        return id, self._streams[id]

    def _send(self, message: Any) -> None:
        # what is sent to an engine that just died is answered by failing all streams
        if self._child is not None:
            self._child.send(message)

    async def _until_ready(self) -> None:
        if self._keeper is None and self._state != "closed":
            raise EngineCrashed("The engine has not been started: await start() first.")
        await self._ready.wait()
        if self._state in ("failed", "closed"):
            raise self._failure or EngineCrashed(CLOSED)

    async def _keep(self) -> None:
        """Run engine after engine until the client is closed or the first one cannot be loaded."""
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                self._lost(await self._run_one())
            except ModelLoadError as error:
                self._give_up(error)
                if self._info is None:
                    return None
            except Exception as error:  # a keeper that died silently would let requests wait
                return self._give_up(EngineCrashed(f"The engine could not be kept: {error!r}."))
            finally:
                await self._reap()
            failures = 1 if loop.time() - began > STABLE_S else failures + 1
            await asyncio.sleep(self._backoff_s[min(failures, len(self._backoff_s)) - 1])

    async def _run_one(self) -> str:
        """One life of the process; returns how it ended. Raises ModelLoadError."""
        child = await self._load()
        while (message := await child.read()) is not None:
            self._deliver(message)
        await child.reap()
        return child.explain()

    async def _load(self) -> Child:
        """A process that has loaded the model and computed its first tokens."""
        while True:
            child = self._child = await self._spawn()
            first = await child.read()
            if isinstance(first, Ready):
                self._on_ready(first)
                return child
            if isinstance(first, LoadFailed):
                raise ModelLoadError(first.message)
            await child.reap()
            self._died_loading(child)

    async def _spawn(self) -> Child:
        try:
            return await Child.spawn(self._spec)
        except OSError as error:
            raise ModelLoadError(f"The engine process could not be started: {error}.") from error

    def _on_ready(self, message: Ready) -> None:
        self._info, self._failure, self._state = message.info, None, "ready"
        self._ready.set()

    def _deliver(self, message: Output | Answer | Pong) -> None:
        if isinstance(message, Pong):
            return
        items = self._streams.get(message.id)
        if items is not None:
            items.put_nowait(message.item if isinstance(message, Output) else message.value)

    def _died_loading(self, child: Child) -> None:
        """Choose kernels that every processor has, where that may help, or say what happened."""
        why = child.explain()
        if child.signal == signal.SIGKILL:
            why = (
                f"{why} Most often that is the system, out of memory: close other programs, or "
                "use a smaller --ctx-size or a smaller model."
            )
        if child.signal not in BAD_KERNEL or not self._spec.use_extra_bufts:
            raise ModelLoadError(f"{self._spec.path} could not be loaded. {why}")
        self._spec = replace(self._spec, use_extra_bufts=False)
        self._notice(
            f"{why} Trying again without llama.cpp's repacked CPU kernels (slower): rebuild "
            "llama-cpp-python with -mno-amx-tile -mno-amx-int8 -mno-amx-bf16 to have them."
        )

    def _lost(self, why: str) -> None:
        self._restarts += 1
        self._state = "restarting"
        self._ready.clear()
        self._failure = EngineCrashed(f"{why} It is being restarted: send the request again.")
        self._notice(str(self._failure))
        self._fail_streams(self._failure)

    def _give_up(self, error: EdgeAgentError) -> None:
        if self._info is not None:
            self._notice(str(error))
        self._failure, self._state = error, "failed"
        self._ready.set()
        self._fail_streams(error)

    def _fail_streams(self, error: EdgeAgentError) -> None:
        for items in self._streams.values():
            items.put_nowait(error)

    async def _reap(self) -> None:
        if self._child is not None:
            await self._child.reap()
            self._child = None
