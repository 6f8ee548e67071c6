"""Runs as things: begun, queued, cancelled, resumed, followed, and always ended with a reason."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.records import Answered, Reason, Run, RunEvent, RunStarted, Status, Task
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.runs.book import RunBook
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.desk import Desk, task_of
from edge_agent.agent.runs.kit import Kit, ToolsFor
from edge_agent.agent.runs.structured import Structurer
from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.agent.runs.work import Work
from edge_agent.agent.runs.worker import Worker
from edge_agent.chat.messages import Chat
from edge_agent.errors import (
    Conflict,
    EngineBusy,
    NotFound,
    RequestError,
    StoreError,
)
from edge_agent.store.owner import Owner
from edge_agent.store.runs import UNFINISHED, RunStore

RUNS_AT_ONCE = 2
MOST_QUEUED = 1000
MOST_ROLLOUTS = 64  # as many as the tries that pass@64 is told of
BUSY_RETRY_S = 60.0
MOST_CUTS = 8  # times a run is cut off in one step before it is held to be the cause
log = logging.getLogger(__name__)


class AgentService:
    """Implements `records.Agent` over one chat model, a set of tools and a journal.

    ranker: None ranks by words alone. supervisor: of the runs, those that wait included.
    rollouts_at_once: of one run. `book` reads what was begun here or before.
    """

    def __init__(
        self,
        chat: Chat,
        profile: Profile,
        tools_for: ToolsFor,
        store: RunStore,
        ranker: Ranker | None,
        model_names: frozenset[str] = frozenset(),
        supervisor: Supervisor | None = None,
        rollouts_at_once: int = 1,
    ) -> None:
        self._chat = chat
        fitted = profile.fitted(chat.n_ctx)
        self._kit = Kit(chat, fitted, ranker or Ranker(None), tools_for, rollouts_at_once)
        self._store = store
        self._codec = ResultCodec(store.pages)
        self._names = model_names | {chat.name, "auto"}
        self._works: dict[str, Work] = {}  # those that have not ended, or not on the disk
        self._workers: dict[str, Worker] = {}
        self._supervisor = supervisor or Supervisor(RUNS_AT_ONCE)
        self._owner = Owner(store.path.parent / "owners")
        self.book = RunBook(store, self._works)
        self._desk = Desk(store, self._owner, chat.name, self.book.run)

    async def run(self, task: Task) -> Run:
        """The fold of `stream`."""
        async with aclosing(self.stream(task)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event.run
        raise AssertionError("a run ends with Answered")

    async def stream(self, task: Task) -> AsyncGenerator[RunEvent, None]:
        """Everything that happens; closing the iterator cancels the run and journals that."""
        work = self._begin(task, background=False)
        ear = work.journal.listen()
        try:
            yield RunStarted(work.id, task.task, work.model)
            while (told := await ear.get()) is not None:
                if told.event is not None:
                    yield told.event
        finally:
            work.journal.ignore(ear)
            await self._stop(work)

    def submit(self, task: Task) -> Run:
        """Begin a run that goes on when nobody waits for it. Raises what `stream` does before."""
        return self.book.run(self._begin(task, background=True).id)

    def follow_up(self, run_id: str, task: Task) -> Run:
        """A run in the background that begins with the evidence and the answer of another, and
        asks its library unless another is named.

        Raises NotFound, and Conflict while the other has not ended.
        """
        before = task_of(self._store.get(run_id))
        library = task.library or before.library
        return self.submit(replace(task, follows=run_id, library=library))

    async def cancel(self, run_id: str) -> Run:
        """End a run; one that is cancelled already stays so.

        Raises NotFound, and Conflict when it ended otherwise or another process works on it.
        """
        work = self._works.get(run_id)
        if work is None:
            row = self._store.get(run_id)
            if row.status in UNFINISHED:
                self._desk.adopt(row)
                work = self._works[run_id] = self._desk.restore(run_id, automatic=False)
        if work is not None:
            await self._stop(work)
        run = self.book.run(run_id)
        if run.status != "cancelled":
            raise Conflict(f"The run {run_id} has ended already ({run.status}).")
        return run

    def resume(self, run_id: str) -> Run:
        """Go on with a run that was cut off, cancelled or failed by the environment.

        One that is being worked on here goes on as it is. Raises NotFound, and Conflict when the
        run has come to its end or another process works on it.
        """
        if run_id not in self._works:
            row = self._store.get(run_id)
            self._check(task_of(row))
            self._desk.take(row)
            self._queue(self._desk.restore(run_id, automatic=False))
        return self.book.run(run_id)

    def recover(self) -> list[str]:
        """Go on with all runs that were cut off, oldest first; their ids. For a server's start.

        A run that is cut off again and again at one step is ended instead.
        """
        rows = self._desk.cut_off()
        for row in rows:
            work = self._works[row.id] = self._desk.restore(row.id, automatic=True)
            if work.cuts > MOST_CUTS:
                text = f"No answer: the run was cut off {MOST_CUTS} times in the same step."
                self._end(work, self._ended(work, "failed", "env_error", text))
            else:
                self._queue(work)
        return [row.id for row in rows]

    async def close(self) -> None:
        """Stop working. Runs in the background stay as they are, for the next `recover`."""
        for work in [work for work in self._works.values() if not work.background]:
            await self._stop(work)
        await self._supervisor.close()
        self._save_late()
        for work in self._works.values():
            if work.run is None:
                work.journal.write("left", {})
            work.journal.hang_up()
        self._owner.close()

    def _begin(self, task: Task, background: bool) -> Work:
        self._check(task)
        if self._supervisor.n_queued(task.holder) >= MOST_QUEUED:
            raise EngineBusy(f"{MOST_QUEUED} runs are waiting: come again later.", BUSY_RETRY_S)
        work = self._desk.begin(task, background)
        self._queue(work)
        return work

    def _check(self, task: Task) -> None:
        """All that can be known to fail before anything is done."""
        if not task.task.strip():
            raise RequestError("The task is empty: say what to find out.", param="task")
        if task.n > MOST_ROLLOUTS:
            raise RequestError(f"n: at most {MOST_ROLLOUTS} rollouts of a run.", param="n")
        if task.model and task.model not in self._names:
            raise NotFound(f"There is no model {task.model!r} here: this one is {self._chat.name}.")
        self._kit.tools_for(task.library)
        if task.output_schema is not None:
            Structurer(self._chat).check(task.output_schema)

    def _queue(self, work: Work) -> None:
        self._works[work.id] = work
        self._supervisor.add(work.id, lambda: self._perform(work), work.task.holder)

    async def _perform(self, work: Work) -> None:
        """From the queue to the end. A cancellation is journalled by who asked for it."""
        try:
            self._store.start(work.id)
        except StoreError as error:
            log.error("run %s is worked on without its journal: %s", work.id, error)
        worker = self._workers[work.id] = Worker(self._kit, work, self._codec)
        self._end(work, await worker.work())

    async def _stop(self, work: Work) -> None:
        """Cancel a run, unless it has ended."""
        if work.run is None and not self._supervisor.drop(work.id):
            await self._supervisor.cancel(work.id)
        if work.run is None:
            self._end(work, self._ended(work, "cancelled", "cancelled", ""))

    def _ended(self, work: Work, status: Status, reason: Reason, answer: str) -> Run:
        worker = self._workers.get(work.id) or Worker(self._kit, work, self._codec)
        return worker.ended(status, reason, answer)

    def _end(self, work: Work, run: Run) -> None:
        """Close the record, whether the disk takes it or not."""
        work.run = run
        self._workers.pop(work.id, None)
        work.journal.finish(run)
        self._save_late()

    def _save_late(self) -> None:
        """Forget the works whose end is on the disk; try again with those whose is not."""
        for work in list(self._works.values()):
            if work.run is not None and work.journal.save(work.run):
                del self._works[work.id]
