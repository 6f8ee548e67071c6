"""All runs there are, as records and as what happened in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from edge_agent.agent.jsonable import KINDS, event_as_json
from edge_agent.agent.records import Answered, Run, Status
from edge_agent.agent.runs.codec import decode
from edge_agent.agent.runs.journal import Told
from edge_agent.agent.runs.replay import Replay
from edge_agent.agent.runs.work import Work
from edge_agent.store.runs import ENDED, UNFINISHED, RunLine, RunRow, RunStore

POLL_S = 0.5  # between looks at a run that another process works on
PUBLIC = frozenset({*KINDS.values(), "step", "resumed"})


class RunBook:
    """Reads the journal, and from `works` what is not in it: live events, and ends that a full
    disk did not take. All methods raise NotFound for an unknown run, and StoreError."""

    def __init__(self, store: RunStore, works: Mapping[str, Work]) -> None:
        self._store = store
        self._works = works

    def run(self, run_id: str) -> Run:
        """The record of a run; of an unfinished one as far as it has come."""
        row = self._store.get(run_id)
        work = self._works.get(run_id)
        return work.run if work is not None and work.run is not None else run_of(row)

    def check_held(self, run_id: str, holders: Collection[str]) -> None:
        """Raises NotFound for a run of anybody else."""
        self._store.check_held(run_id, holders)

    def lines(
        self,
        limit: int,
        before: str | None,
        status: str | None,
        holders: Collection[str] = ("",),
    ) -> list[RunLine]:
        """See `RunStore.list`."""
        return [self._amended(line) for line in self._store.list(limit, before, status, holders)]

    def _amended(self, line: RunLine) -> RunLine:
        work = self._works.get(line.id)
        if work is None or work.run is None:
            return line
        run = work.run
        return replace(line, status=run.status, reason=run.reason, answer=run.answer)

    def is_told(self, run_id: str, after: int) -> bool:
        """Whether the run has ended and nothing comes past event `after`."""
        row = self._store.get(run_id, after)
        return not (row.events or row.status in UNFINISHED)

    async def events(self, run_id: str, after: int = 0) -> AsyncGenerator[Told, None]:
        """What happened past event `after`, then what happens, to the answer."""
        work = self._works.get(run_id)
        telling = self._watched(run_id, after) if work is None else self._live(work, after)
        async with aclosing(telling):
            async for told in telling:
                if told.kind in PUBLIC:
                    yield told

    async def _live(self, work: Work, after: int) -> AsyncGenerator[Told, None]:
        # nothing can happen between the first call and the second
        ear, ended = work.journal.listen(), work.run is not None
        past = [*history(self._store.get(work.id, after)), *_unsaved(work, after)]
        try:
            for told in past:
                yield told
            while not ended and (told_now := await ear.get()) is not None:
                yield told_now
        finally:
            work.journal.ignore(ear)

    async def _watched(self, run_id: str, after: int) -> AsyncGenerator[Told, None]:
        while True:
            row = self._store.get(run_id, after)
            for told in history(row):
                yield told
            if row.status not in UNFINISHED:
                return
            after = row.events[-1].seq if row.events else after
            await asyncio.sleep(POLL_S)


def run_of(row: RunRow) -> Run:
    """The record that a run left, or what it is so far."""
    if row.result is not None:
        return decode(Run, row.result)
    replay = Replay(row.events)
    return Run(
        id=row.id,
        task=row.task,
        model=row.model,
        status=cast(Status, row.status),
        reason=cast(Any, row.reason),
        answer="",
        citations=(),
        steps=replay.steps,
        usage=replay.usage,
        created_at=row.created_at,
        follows=row.extra.get("task", {}).get("follows"),
    )


def history(row: RunRow) -> Iterator[Told]:
    """The events of a row; the ends of a run that went on afterwards are none."""
    last = row.events[-1].seq if row.events else 0
    for event in row.events:
        if event.kind != ENDED:
            yield Told(event.seq, event.kind, event.payload)
        elif event.seq == last and row.result is not None:
            yield Told(event.seq, ENDED, {"type": KINDS[Answered], **row.result})


def _unsaved(work: Work, after: int) -> Iterator[Told]:
    """What a full disk did not take."""
    for told in work.journal.unsaved:
        if told.seq is not None and told.seq > after:
            yield told
    if work.run is not None:
        yield Told(work.journal.last, ENDED, event_as_json(Answered(work.run)))


def told_as_json(told: Told) -> dict[str, Any]:
    """`type` and what belongs to it; the record of a step has that step's fields."""
    if told.kind == "step":
        return {"type": "step", **told.payload["step"]}
    return {"type": told.kind, **told.payload}
