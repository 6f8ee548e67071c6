"""The engine process kept alive: loaded, watched, and started again when it dies or is stuck."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from edge_agent.engine.account import Account
from edge_agent.engine.child import BAD_KERNEL, REAP_S, Child
from edge_agent.engine.counts import Counts
from edge_agent.engine.idle import Idle
from edge_agent.engine.params import LoadSpec, ModelInfo
from edge_agent.engine.pipe import Answer, AskCounts, LoadFailed, Ping, Pong, Ready, Written
from edge_agent.engine.streams import Streams
from edge_agent.engine.watchdog import STUCK_AFTER_S, Watchdog
from edge_agent.errors import EdgeAgentError, EngineCrashed, ModelLoadError

BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before the n-th restart in a row
STUCK_LOAD_S = 600.0  # a large model from a slow disk takes minutes
STABLE_S = 60.0  # an engine that answered this long counts as healthy again
CLOSE_S = REAP_S + 2.0  # for everything that `close` waits for
PEEK_S = 2.0  # a question is answered between two steps, and a step takes a second or two
CLOSED = "The engine was closed."

State = Literal["loading", "ready", "sleeping", "waking", "restarting", "failed", "closed"]
UNSETTLED: tuple[State, ...] = ("loading", "waking", "restarting")
Spawn: TypeAlias = Callable[[LoadSpec], Awaitable[Child]]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What /health says. `detail` is a sentence when the state is not "ready"."""

    state: State
    detail: str
    restarts: int
    pid: int | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each thing may take, in seconds.

    restart: the pauses before the first, second, ... restart in a row. stuck_after: an engine that
    finishes no step for so long while work waits is ended. stuck_load: a load likewise.
    """

    restart: Sequence[float] = BACKOFF_S
    stuck_after: float = STUCK_AFTER_S
    stuck_load: float = STUCK_LOAD_S
    idle: float | None = None


class Keeper:
    """Owner of the engine process and of what is said about it.

    What the engine sends goes to `streams`; when it dies, what is in flight there ends in
    EngineCrashed. When it cannot be loaded again, `ready` raises the reason at once, and loading is
    tried again later.
    """

    def __init__(
        self,
        spec: LoadSpec,
        streams: Streams,
        notice: Callable[[str], None],
        patience: Patience,
        spawn: Spawn,
    ) -> None:
        self.spec = spec
        self.info: ModelInfo | None = None
        self._streams = streams
        self._notice = notice
        self._patience = patience
        self._spawn = spawn
        self._watchdog = Watchdog(patience.stuck_after)
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._state: State = "loading"
        self._failure: EdgeAgentError | None = None
        self._settled = asyncio.Event()  # in none of UNSETTLED
        self._awake = asyncio.Event()
        self._awake.set()
        self._restarts = 0
        self.idle = Idle(patience.idle, streams.is_busy)
        self.account = Account()

    @property
    def status(self) -> EngineStatus:
        detail = str(self._failure) if self._failure and self._state != "ready" else ""
        pid = self._child.pid if self._child and self._state == "ready" else None
        return EngineStatus(self._state, detail, self._restarts, pid)

    def start(self) -> None:
        """Begin to load; `ready` waits for it."""
        if self._task is None and self._state != "closed":
            self._task = asyncio.create_task(self._keep())

    def wake(self) -> None:
        """Count the idle time anew, and begin to load an engine that sleeps."""
        self.idle.touch()
        if self._state == "sleeping":
            self._enter("waking")
            self._awake.set()

    async def ready(self) -> None:
        """Wait for an engine that answers, waking it; raises ModelLoadError or EngineCrashed.

        It answers until the caller awaits the next time.
        """
        if self._task is None and self._state != "closed":
            raise EngineCrashed("The engine has not been started: await start() first.")
        self.wake()
        while self._state in UNSETTLED:
            await self._settled.wait()
        if self._state != "ready":
            raise self._failure or EngineCrashed(CLOSED)

    async def look(self) -> None:
        """Bring the account up to date, where there is an engine to ask; wakes none."""
        counts = await self.peek(AskCounts)
        if isinstance(counts, Counts):
            self.account.saw(counts)

    async def peek(self, question: Callable[[int], Any]) -> Any:
        """The answer to `question(id)`; None where no engine gives one in PEEK_S. It does not count
        as use."""
        if self._state != "ready":
            return None
        id, items = self._streams.open(is_use=False)
        timer = asyncio.get_running_loop().call_later(PEEK_S, items.put_nowait, None)
        try:
            self.send(question(id))
            answer = await items.get()
        finally:
            timer.cancel()
            self._streams.close(id)
        return None if isinstance(answer, EdgeAgentError) else answer

    def send(self, message: Any) -> None:
        """To the engine; one that just died fails all streams instead of answering."""
        if self._child is not None:
            self._child.send(message)

    async def close(self) -> None:
        """End the process, in CLOSE_S and a REAP_S at most; nobody waits for it any more."""
        self._enter("closed", EngineCrashed(CLOSED))
        self._streams.fail(EngineCrashed(CLOSED))
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=CLOSE_S)
            await self._reap()
        except asyncio.CancelledError:
            if self._child is not None:
                self._child.kill(CLOSED)
            raise

    def _enter(self, state: State, failure: EdgeAgentError | None = None) -> None:
        if self._state == "closed":  # for ever, whatever was under way
            return
        self._state, self._failure = state, failure
        if state in UNSETTLED:
            self._settled.clear()
        else:
            self._settled.set()

    async def _keep(self) -> None:
        """One engine after another, until closed or until the first one cannot be loaded."""
        failures, loop = 0, asyncio.get_running_loop()
        while self._state != "closed":
            born_at = await self._one_life()
            if self.info is None:
                return
            if not self._awake.is_set():
                await self._awake.wait()
                failures = 0
                continue
            failures = 1 if born_at and loop.time() - born_at > STABLE_S else failures + 1
            pauses = self._patience.restart
            await asyncio.sleep(pauses[min(failures, len(pauses)) - 1])

    async def _one_life(self) -> float | None:
        """An engine from its start to its end; returns when it began to answer, if it did."""
        born_at = None
        try:
            child = await self._load()
            born_at = asyncio.get_running_loop().time()
            await self._serve(child)
        except ModelLoadError as error:
            self._give_up(error)
        except Exception as error:  # a keeper that died silently would let requests wait
            self._give_up(EngineCrashed(f"The engine could not be kept: {error!r}."))
        finally:
            await self._reap()
        return born_at

    async def _load(self) -> Child:
        """A process that has loaded the model and computed its first tokens."""
        while True:
            child = self._child = await self._spawned()
            first = await self._first_word(child)
            if isinstance(first, Ready):
                self.info = first.info
                self._enter("ready")
                return child
            if isinstance(first, LoadFailed):
                raise ModelLoadError(first.message)
            await child.reap()
            self._died_loading(child)

    async def _spawned(self) -> Child:
        try:
            return await self._spawn(self.spec)
        except OSError as error:
            raise ModelLoadError(f"The engine process could not be started: {error}.") from error

    async def _first_word(self, child: Child) -> Any:
        limit_s = self._patience.stuck_load
        why = f"It was not ready after {limit_s:g} s and was ended: is its disk very slow?"
        timer = asyncio.get_running_loop().call_later(limit_s, child.kill, why)
        try:
            return await child.read()
        finally:
            timer.cancel()

    def _died_loading(self, child: Child) -> None:
        """Choose kernels that every processor has, where that may help, or say what happened."""
        why = child.explain()
        if child.signal == signal.SIGKILL and not child.killed:
            why = (
                f"{why} Most often that is the system, out of memory: close other programs, or "
                "use a smaller --ctx-size or a smaller model."
            )
        if child.signal not in BAD_KERNEL or not self.spec.use_extra_bufts:
            raise ModelLoadError(f"{self.spec.path} could not be loaded. {why}")
        self.spec = replace(self.spec, use_extra_bufts=False)
        self._notice(
            f"{why} Trying again without llama.cpp's repacked CPU kernels (slower): rebuild "
            "llama-cpp-python with -mno-amx-tile -mno-amx-int8 -mno-amx-bf16 to have them."
        )

    async def _serve(self, child: Child) -> None:
        """Hand on what the engine sends, until it ends."""
        watch = asyncio.create_task(self._watch(child))
        nap = asyncio.create_task(self._nap(child))
        try:
            while (message := await child.read()) is not None:
                self._deliver(message)
        finally:
            watch.cancel()
            nap.cancel()
        await child.reap()
        self.account.life_over()
        if not child.dismissed:
            self._lost(child.explain())

    async def _nap(self, child: Child) -> None:
        """Send the engine home once it has been idle for long enough."""
        while True:
            await self.idle.long_enough()
            await self.look()
            if self.idle.left_s() <= 0:  # nobody came while it was asked
                self._sleep(child)
                return

    def _sleep(self, child: Child) -> None:
        self._awake.clear()
        self._enter("sleeping")
        child.dismiss()

    def _deliver(self, message: Written | Answer | Pong) -> None:
        if isinstance(message, Pong):
            self._watchdog.heard(message)
        elif isinstance(message, Written):
            for output in message.outputs:
                self._streams.deliver(output.id, output.item)
        else:
            self._streams.deliver(message.id, message.value)

    async def _watch(self, child: Child) -> None:
        """Ask how it is while somebody waits for it; end it when it is stuck."""
        loop, dog = asyncio.get_running_loop(), self._watchdog
        dog.rest()
        while not child.killed:
            asked_at = loop.time()
            if self._streams:
                child.send(Ping())
            else:
                dog.rest()
            await asyncio.sleep(dog.tick_s)
            if why := dog.tick(loop.time() - asked_at):
                child.kill(why)

    def _lost(self, why: str) -> None:
        if self._state == "closed":
            return
        self._restarts += 1
        self._fail(
            "restarting", EngineCrashed(f"{why} It is being restarted: send the request again.")
        )

    def _give_up(self, error: EdgeAgentError) -> None:
        self._fail("failed", error)

    def _fail(self, state: State, error: EdgeAgentError) -> None:
        if self.info is not None and self._state != "closed":
            self._notice(str(error))
        self._enter(state, error)
        self._streams.fail(error)

    async def _reap(self) -> None:
        if self._child is not None:
            await self._child.reap()
            self._child = None
