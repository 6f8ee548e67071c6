"""Kills servers of runs at random moments, and looks at what is left of the runs.

A moment is a random number of commits after the server began, and a random time after that: so it
falls into every part of a run alike, however fast the machine is.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.agent.records import Run
from edge_agent.agent.runs.codec import decode
from edge_agent.store.database import Database
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import EventRow, RunRow, RunStore

from .endless import call_line

ROOT = Path(__file__).resolve().parents[3]
RUNS = 3  # begun whenever all before them have ended
MOST_WAIT_S = 60.0
MOST_COMMITS = 60  # of a server before it is killed; a step has about twenty
MOST_AFTER_S = 0.01  # about as long as a call of the model or a tool takes
POLL_S = 0.001


@dataclass(slots=True)
class Tally:
    """kills: that hit a server with unfinished runs. faults: sentences, of which there are none."""

    kills: int = 0
    runs: int = 0
    steps: int = 0
    calls: int = 0
    cut_steps: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Left:
    """What stood in the journal, and how many calls had been carried out, at a kill."""

    events: dict[str, tuple[EventRow, ...]]
    done: set[str]
    n_calls: int


class Slaughter:
    """One journal, one zygote, many kills."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.agent.runs.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tally = Tally()

    def kill(self, times: int) -> Tally:
        """Kill until `times` servers died with work in their hands, then let the runs end."""
        while self.tally.kills < times:
            self._one(self._random.randint(0, MOST_COMMITS))
        self._one(None)
        self._final()
        return self.tally

    def close(self) -> None:
        assert self._zygote.stdin and self._zygote.stdout
        self._zygote.stdin.close()
        self._zygote.wait(timeout=MOST_WAIT_S)
        self._zygote.stdout.close()

    def _one(self, commits: int | None) -> None:
        """One server: begun, killed when its time is over, and what it left compared."""
        before = self._left()
        fresh = RUNS if not self._unfinished() else 0
        pid = self._begin(fresh)
        if commits is not None:
            with contextlib.suppress(ProcessLookupError):  # all its runs have ended
                self._wait(pid, commits)
                os.kill(pid, signal.SIGKILL)
        code = self._code()
        if commits is None and code:
            self.tally.faults.append(f"a server that was left in peace ended with {code}")
        self.tally.kills += code == -signal.SIGKILL and bool(self._unfinished())
        self._compare(before)

    def _wait(self, pid: int, commits: int) -> None:
        """Until the server has written so often, and a little longer."""
        with closing(open_journal(self._folder / "journal.sqlite")) as journal:
            seen = _version(journal)
            while commits > 0:
                os.kill(pid, 0)  # whether it is still there
                now = _version(journal)
                commits -= now != seen
                seen = now
                time.sleep(POLL_S)
        time.sleep(self._random.uniform(0, MOST_AFTER_S))

    def _begin(self, n_new: int) -> int:
        assert self._zygote.stdin and self._zygote.stdout
        self._zygote.stdin.write(f"{self._folder} {n_new}\n")
        self._zygote.stdin.flush()
        return int(self._zygote.stdout.readline())

    def _code(self) -> int:
        assert self._zygote.stdout
        return int(self._zygote.stdout.readline())

    def _rows(self) -> list[RunRow]:
        with closing(open_journal(self._folder / "journal.sqlite")) as journal:
            store = RunStore(journal)
            return [store.get(row.id) for row in store.list(10_000)]

    def _unfinished(self) -> list[RunRow]:
        return [row for row in self._rows() if row.status in ("queued", "running")]

    def _calls(self) -> list[str]:
        log = self._folder / "calls.log"
        return log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []

    def _left(self) -> Left:
        rows = self._rows()
        done = {
            call_line(e.payload["tool"], e.payload["arguments"])
            for row in rows
            for e in row.events
            if e.kind == "tool_done"
        }
        return Left({row.id: row.events for row in rows}, done, len(self._calls()))

    def _compare(self, before: Left) -> None:
        """Nothing that was recorded is lost or changed, and none of it was done again."""
        rows = {row.id: row.events for row in self._rows()}
        for run_id, events in before.events.items():
            if rows.get(run_id, ())[: len(events)] != events:
                self.tally.faults.append(f"{run_id}: the journal of before is not in that of after")
        for call in set(self._calls()[before.n_calls :]) & before.done:
            self.tally.faults.append(f"made again though it was recorded as done: {call.strip()}")

    def _final(self) -> None:
        """Every run has ended, with every step it ever recorded, in order and unchanged."""
        rows = self._rows()
        calls = self._calls()
        self.tally.runs, self.tally.calls = len(rows), len(calls)
        for row in rows:
            self._check(row)

    def _check(self, row: RunRow) -> None:
        run = decode(Run, row.result) if row.result else None
        steps = [e.payload["step"] for e in row.events if e.kind == "step"]
        begun = sum(e.kind == "step_started" for e in row.events)
        self.tally.steps += len(steps)
        self.tally.cut_steps += begun - len(steps)
        for fault in faults_of(row, run, steps):
            self.tally.faults.append(f"{row.id}: {fault}")


def _version(journal: Database) -> int:
    """Another number after each commit of somebody else."""
    with journal.reading() as connection:
        return int(connection.execute("PRAGMA data_version").fetchone()[0])


def faults_of(row: RunRow, run: Run | None, steps: list[dict[str, object]]) -> Iterator[str]:
    """Sentences about what is wrong with a run that should have ended well."""
    if run is None or (row.status, row.reason) != ("completed", "answered"):
        yield f"ended as {row.status}, {row.reason}"
        return
    if run.answer != "the answer" or not run.citations:
        yield f"answered {run.answer!r} with {len(run.citations)} quotes"
    if [step["number"] for step in steps] != list(range(1, len(steps) + 1)):
        yield f"recorded the steps {[step['number'] for step in steps]}"
    if (row.result or {}).get("steps") != steps:
        yield "its record has other steps than its journal"
