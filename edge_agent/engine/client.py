"""The server's side of the engine: submit, read, cancel, edit, ask."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edge_agent.engine.child import Child
from edge_agent.engine.counts import Counts, Running
from edge_agent.engine.keeper import (
    BACKOFF_S,
    STUCK_LOAD_S,
    EngineStatus,
    Keeper,
    Patience,
    Spawn,
)
from edge_agent.engine.params import (
    Computed,
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
)
from edge_agent.engine.pipe import AskEdit, AskRunning, AskStats, Cancel, StopThinking, Submit
from edge_agent.engine.streams import Streams
from edge_agent.engine.watchdog import STUCK_AFTER_S
from edge_agent.errors import EdgeAgentError, EngineCrashed


class EngineClient:
    """An engine process that is started, watched, and started again when it dies or is stuck.

    Requests in flight when it dies end in EngineCrashed; those that come while it restarts wait.
    When it cannot be loaded again they get the reason at once, and loading is tried again later.

    restart_s: seconds before the first, second, ... restart in a row. stuck_after_s: an engine that
    finishes no step for so long while work waits is ended, and so is one that takes stuck_load_s
    to load. sleep_after_s: an engine that nobody wants for so long is ended, and loaded again for
    the next request; None keeps it. spawn: starts the process.
    """

    def __init__(
        self,
        spec: LoadSpec,
        notice: Callable[[str], None],
        restart_s: Sequence[float] = BACKOFF_S,
        stuck_after_s: float = STUCK_AFTER_S,
        stuck_load_s: float = STUCK_LOAD_S,
        spawn: Spawn = Child.spawn,
        sleep_after_s: float | None = None,
    ) -> None:
        self._streams = Streams()
        self._named: dict[str, int] = {}
        patience = Patience(restart_s, stuck_after_s, stuck_load_s, sleep_after_s)
        self._keeper = Keeper(spec, self._streams, notice, patience, spawn)

    async def start(self) -> None:
        """Start the process and wait until the model answers; raises ModelLoadError."""
        self._keeper.start()
        await self._keeper.ready()

    async def close(self) -> None:
        """End the process; requests in flight or waiting end in EngineCrashed."""
        await self._keeper.close()

    @property
    def spec(self) -> LoadSpec:
        """How the engine is loaded, which may be more careful than what was asked for."""
        return self._keeper.spec

    @property
    def info(self) -> ModelInfo:
        """What was loaded; known once `start` has returned."""
        if self._keeper.info is None:
            raise EngineCrashed("The engine has not been started: await start() first.")
        return self._keeper.info

    @property
    def status(self) -> EngineStatus:
        return self._keeper.status

    async def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Computed | Finished, None]:
        """See `params.TokenEngine.submit`."""
        await self._keeper.ready()
        id, items = self._streams.open()
        running = max(1, params.n)
        if params.name:
            self._named[params.name] = id
        try:
            self._keeper.send(Submit(id, tuple(prompt), params))
            while running:
                item = await items.get()
                if isinstance(item, EdgeAgentError):
                    running = 0
                    raise item
                running -= isinstance(item, Finished)
                yield item
        finally:
            self._streams.close(id)
            self._keeper.idle.touch()
            if self._named.get(params.name) == id:
                del self._named[params.name]
            if running:
                self._keeper.send(Cancel(id))

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

    async def counts(self) -> Counts:
        """What was computed since the start, in all lives of the process; wakes none."""
        await self._keeper.look()
        return self._keeper.account.total

    async def running(self) -> tuple[Running, ...]:
        """The generations under way; none where no engine runs, and none is woken."""
        return tuple(await self._keeper.peek(AskRunning) or ())

    @contextmanager
    def use(self) -> Iterator[None]:
        """Wake the engine, if it sleeps, and keep it awake while the block runs."""
        self._keeper.wake()
        with self._keeper.idle.use():
            yield

    async def _ask(self, question: Callable[[int], Any]) -> Any:
        """Send `question(id)` and wait for its answer, or raise the error that is the answer."""
        await self._keeper.ready()
        id, items = self._streams.open()
        try:
            self._keeper.send(question(id))
            item = await items.get()
        finally:
            self._streams.close(id)
            self._keeper.idle.touch()
        if isinstance(item, EdgeAgentError):
            raise item
        return item
