"""The writer of one run's journal: first on the disk, then told to whoever listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.agent.jsonable import event_as_json, run_as_json
from edge_agent.agent.records import Answered, Run, RunEvent
from edge_agent.errors import StoreError
from edge_agent.store.runs import ENDED, RunStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened in a run. seq: its number in the journal, None when not kept there.

    event: the record it was made from, where it is one of `records.RunEvent`.
    """

    seq: int | None
    kind: str
    payload: Mapping[str, Any]
    event: RunEvent | None = None


Ear = asyncio.Queue[Told | None]  # None: nothing more comes from this process


class RunJournal:
    """Events of one run, numbered from `last` + 1. One run has one writer at a time.

    A disk that fails does not end the run: what could not be written is kept, told all the same,
    and written in its place with the next event that can be.
    """

    def __init__(self, store: RunStore, run_id: str, last: int = 0) -> None:
        self._store = store
        self._run_id = run_id
        self.last = last
        self.is_finished = False  # its end is on the disk
        self.unsaved: list[Told] = []
        self._untold: list[Told] = []
        self._ears: set[Ear] = set()

    def write(self, kind: str, payload: Mapping[str, Any], event: RunEvent | None = None) -> None:
        """Keep an event, and those that were held; it is on the disk when it is told."""
        self.hold(kind, payload, event)
        self.flush()

    def hold(self, kind: str, payload: Mapping[str, Any], event: RunEvent | None = None) -> None:
        """An event that is kept together with the next that is written, or not at all."""
        self.last += 1
        told = Told(self.last, kind, payload, event)
        self.unsaved.append(told)
        self._untold.append(told)

    def write_event(self, event: RunEvent, held: bool = False) -> None:
        """Keep a record under its own name; `held`: see `hold`."""
        payload = event_as_json(event)
        (self.hold if held else self.write)(payload["type"], payload, event)

    def tell(self, event: RunEvent) -> None:
        """Tell without keeping."""
        self.flush()
        if self._ears:
            payload = event_as_json(event)
            self._publish(Told(None, payload["type"], payload, event))

    def flush(self) -> bool:
        """Write what is held; whether everything is on the disk now."""
        try:
            if self.unsaved:
                rows = [(told.kind, told.payload) for told in self.unsaved]
                self._store.extend(self._run_id, rows)
                self.unsaved.clear()
        except StoreError as error:
            log.error("run %s goes on without its journal: %s", self._run_id, error)
        untold, self._untold = self._untold, []
        for told in untold:
            self._publish(told)
        return not self.unsaved

    def finish(self, run: Run) -> None:
        """Close the run, and tell its answer whether the disk takes it or not (see `save`)."""
        self.save(run)
        self.last += 1
        answered = Answered(run)
        self._publish(Told(self.last, ENDED, event_as_json(answered), answered))
        self.hang_up()

    def save(self, run: Run) -> bool:
        """Write what is left and the run's end; whether they are on the disk."""
        try:
            if not self.is_finished and self.flush():
                self._store.finish(run.id, run.status, run.reason, run_as_json(run))
                self.is_finished = True
        except StoreError as error:  # a full disk must not swallow the answer
            log.error("run %s could not be closed in the journal: %s", run.id, error)
        return self.is_finished

    def hang_up(self) -> None:
        """Nothing more comes from here."""
        for ear in self._ears:
            ear.put_nowait(None)
        self._ears = set()

    def listen(self) -> Ear:
        """Hears everything from now on."""
        ear: Ear = asyncio.Queue()
        self._ears.add(ear)
        return ear

    def ignore(self, ear: Ear) -> None:
        self._ears.discard(ear)

    def _publish(self, told: Told) -> None:
        for ear in self._ears:
            ear.put_nowait(told)
