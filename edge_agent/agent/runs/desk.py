"""Where runs are taken in hand: new ones, those that follow others, those that were left."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from edge_agent.agent.jsonable import event_as_json
from edge_agent.agent.records import Run, RunStarted, Task
from edge_agent.agent.runs.codec import ResultCodec, decode
from edge_agent.agent.runs.journal import RunJournal
from edge_agent.agent.runs.replay import Replay
from edge_agent.agent.runs.work import Earlier, Work
from edge_agent.agent.state import RunState
from edge_agent.errors import Conflict
from edge_agent.store.owner import Owner
from edge_agent.store.runs import UNFINISHED, EventRow, RunRow, RunStore

RESUMABLE = ("cancelled", "env_error", "tool_failed")
MOST_EARLIER = 3  # questions that a follow-up is told
EARLIER_CHARS = 500  # of each of their answers


class Desk:
    """Makes works out of tasks and rows of the journal, for one owner.

    Raises StoreError when the disk fails, NotFound for unknown runs.
    """

    def __init__(
        self, store: RunStore, owner: Owner, model: str, run: Callable[[str], Run]
    ) -> None:
        self._store = store
        self._owner = owner
        self._model = model
        self._run = run
        self._codec = ResultCodec(store.pages)

    def begin(self, task: Task, background: bool) -> Work:
        """A new run. Raises Conflict when the one it follows has not ended."""
        run_id, now = f"run_{secrets.token_hex(8)}", _now()
        earlier, given = self._followed(task.follows) if task.follows else ((), None)
        begun = RunStarted(run_id, task.task, self._model)
        events: list[tuple[str, dict[str, Any]]] = [("given", given)] if given else []
        events.append(("run_started", event_as_json(begun)))
        told = [asdict(each) for each in earlier]
        asked = asdict(task)
        holder = asked.pop("holder")
        extra = {"task": asked, "earlier": told, "background": background}
        self._store.create(
            run_id, task.task, self._model, now, extra, self._owner.id, events, holder
        )
        rows = (EventRow(n, kind, payload) for n, (kind, payload) in enumerate(events, 1))
        state = Replay(rows).state(self._codec) if given else RunState()
        journal = RunJournal(self._store, run_id, len(events))
        return Work(
            run_id, task, self._model, now, journal, state, (), earlier, background=background
        )

    def _followed(self, run_id: str) -> tuple[tuple[Earlier, ...], dict[str, Any]]:
        """The questions before, and what their runs had found."""
        row, run = self._store.get(run_id), self._run(run_id)
        if run.status in UNFINISHED:
            raise Conflict(f"The run {run_id} is {run.status}: wait for its answer, then follow.")
        known = (*_earlier(row), Earlier(run.task, run.answer[:EARLIER_CHARS]))
        return known[-MOST_EARLIER:], Replay(row.events).legacy()

    def take(self, row: RunRow) -> None:
        """Make a run this owner's that nobody works on and that can go on; else Conflict."""
        if row.status in UNFINISHED:
            self.adopt(row)
        elif row.status == "completed" or row.reason not in RESUMABLE:
            raise Conflict(
                f"The run {row.id} has ended ({row.reason}): ask a follow-up, or begin a new one."
            )
        elif not self._store.reopen(row.id, self._owner.id):
            raise Conflict(f"The run {row.id} was just resumed elsewhere.")

    def adopt(self, row: RunRow) -> None:
        """Make an unfinished run this owner's; Conflict when another owner lives."""
        alive = self._owner.is_alive(row.owner)
        if alive or not self._store.adopt(row.id, row.owner, self._owner.id):
            raise Conflict(f"Another process works on the run {row.id}: ask that one.")

    def cut_off(self) -> list[RunRow]:
        """Unfinished runs of dead owners, oldest first, which are this owner's from now on."""
        self._owner.sweep()
        rows = [row for row in self._store.unfinished() if not self._owner.is_alive(row.owner)]
        return [row for row in rows if self._store.adopt(row.id, row.owner, self._owner.id)]

    def restore(self, run_id: str, automatic: bool) -> Work:
        """A run of this owner, where its journal leaves it, with a note that it goes on."""
        row = self._store.get(run_id)
        replay = Replay(row.events)
        journal = RunJournal(self._store, row.id, replay.seq)
        # fed to the fold as well: what it makes of it is where the run stands
        noted = {"automatic": automatic, "model": self._model}
        replay.feed(EventRow(replay.seq + 1, "resumed", noted))
        journal.write("resumed", noted)
        state, made = replay.state(self._codec), tuple(replay.open.made)
        at = (row.id, task_of(row), row.model, row.created_at, journal, state, made)
        return Work(*at, earlier=_earlier(row), cuts=replay.cuts, read=replay.read)


def task_of(row: RunRow) -> Task:
    """The task as it was given; of a journal of before as far as it is known."""
    known = row.extra.get("task", {})
    return decode(Task, {"task": row.task, **known, "holder": row.holder})


def _earlier(row: RunRow) -> tuple[Earlier, ...]:
    return tuple(decode(Earlier, each) for each in row.extra.get("earlier", ()))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
