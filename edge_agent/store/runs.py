"""The journal of runs: what happened, in order, as plain JSON rows that are only ever added."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import NotFound, StoreError
from edge_agent.store.database import Database, storable
from edge_agent.store.pages import PageStore

UNFINISHED = ("queued", "running")
ENDED = "answer"  # the kind of the event that `finish` adds


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened in a run; `seq` counts from 1."""

    seq: int
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as recorded. status is "queued" or "running" until `finish`; result is what that got.

    owner: who works on it, or did last (see `store.owner`). An unfinished run whose owner is dead
    was cut off: its events are whole. holder: whose API key asked for it, "" where none did.
    """

    id: str
    task: str
    model: str
    created_at: str
    extra: dict[str, Any]
    status: str
    reason: str | None
    result: dict[str, Any] | None
    events: tuple[EventRow, ...] = ()
    owner: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class RunLine:
    """What a list shows of a run; answer is "" until there is one."""

    id: str
    status: str
    reason: str | None
    task: str
    answer: str
    model: str
    created_at: str


RUN = (
    "SELECT id, task, model, created_at, extra, status, reason, owner, holder, result "
    "FROM runs LEFT JOIN results ON run = id WHERE"
)


class RunStore:
    """Runs and their events in the journal's file. Every write is on the disk when it returns.

    All methods raise StoreError when the disk fails, and NotFound for an unknown run.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._database.path

    @property
    def pages(self) -> PageStore:
        """The pages of the same file."""
        return PageStore(self._database)

    def create(
        self,
        run_id: str,
        task: str,
        model: str,
        created_at: str,
        extra: Mapping[str, Any],
        owner: str = "",
        events: Iterable[tuple[str, Mapping[str, Any]]] = (),
        holder: str = "",
    ) -> None:
        """Begin a run with its first events; it waits for `start`. A second run of the same id is a
        StoreError."""
        rows = [(kind, _json(payload)) for kind, payload in events]
        row = (run_id, storable(task), model, created_at, _json(extra), owner, holder)
        with self._database.transaction() as connection:
            if _exists(connection, run_id):
                raise StoreError(f"The run {run_id} is already in the journal: use another id.")
            connection.execute(
                "INSERT INTO runs (id, task, model, created_at, extra, owner, holder, status) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 'queued')",
                row,
            )
            _extend(connection, run_id, rows)

    def start(self, run_id: str) -> None:
        """The run is being worked on. A finished run is a StoreError."""
        with self._database.transaction() as connection:
            _require_unfinished(connection, run_id)
            connection.execute("UPDATE runs SET status = 'running' WHERE id = ?", (run_id,))

    def append(self, run_id: str, kind: str, payload: Mapping[str, Any]) -> int:
        """Add an event to an unfinished run and return its number."""
        return self.extend(run_id, [(kind, payload)])

    def extend(self, run_id: str, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Add events, all or none, and return the number of the last (0: there is none yet)."""
        rows = [(kind, _json(payload)) for kind, payload in events]
        with self._database.transaction() as connection:
            _require_unfinished(connection, run_id)
            return _extend(connection, run_id, rows)

    def finish(
        self, run_id: str, status: str, reason: str | None, payload: Mapping[str, Any]
    ) -> int:
        """Close a run with its result, tell that as an event, and return the event's number.

        A run ends once: a second end is a StoreError.
        """
        text = _json(payload)
        told = _json({"status": status, "reason": reason})
        with self._database.transaction() as connection:
            _require_unfinished(connection, run_id)
            connection.execute(
                "UPDATE runs SET status = ?, reason = ?, answer = ? WHERE id = ?",
                (status, reason, storable(str(payload.get("answer", ""))), run_id),
            )
            connection.execute("INSERT INTO results VALUES (?, ?)", (run_id, text))
            return _extend(connection, run_id, [(ENDED, told)])

    def adopt(self, run_id: str, owner: str, heir: str) -> bool:
        """Queue an unfinished run of a dead `owner` for its `heir`; False when it is not (any
        more) the owner's. Of many heirs one gets it."""
        with self._database.transaction() as connection:
            adopted = connection.execute(
                "UPDATE runs SET owner = ?, status = 'queued' "
                "WHERE id = ? AND owner = ? AND status IN ('queued', 'running')",
                (heir, run_id, owner),
            )
            return adopted.rowcount == 1

    def reopen(self, run_id: str, owner: str) -> bool:
        """Queue a run again that was cancelled or failed; False when it is neither (any more)."""
        with self._database.transaction() as connection:
            reopened = connection.execute(
                "UPDATE runs SET owner = ?, status = 'queued', reason = NULL, answer = NULL "
                "WHERE id = ? AND status IN ('cancelled', 'failed')",
                (owner, run_id),
            )
            if reopened.rowcount == 1:
                connection.execute("DELETE FROM results WHERE run = ?", (run_id,))
            return reopened.rowcount == 1

    def get(self, run_id: str, after: int = 0) -> RunRow:
        """A run with its events past number `after`, in the order they happened."""
        with self._database.reading() as connection:
            row = connection.execute(f"{RUN} id = ?", (run_id,)).fetchone()
            events = connection.execute(
                "SELECT seq, kind, payload FROM events WHERE run = ? AND seq > ? ORDER BY seq",
                (run_id, after),
            ).fetchall()
        if row is None:
            raise _missing(run_id)
        return _run(row, tuple(EventRow(seq, kind, json.loads(text)) for seq, kind, text in events))

    def check_held(self, run_id: str, holders: Collection[str]) -> None:
        """Raises NotFound for a run of anybody else, as for one that is not there."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT holder FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None or row["holder"] not in holders:
            raise _missing(run_id)

    def unfinished(self) -> list[RunRow]:
        """Runs that are queued or running, or were when their owner died; oldest first."""
        query = f"{RUN} status IN ('queued', 'running') ORDER BY number"
        with self._database.reading() as connection:
            return [_run(row) for row in connection.execute(query).fetchall()]

    def list(
        self,
        limit: int = 20,
        before: str | None = None,
        status: str | None = None,
        holders: Collection[str] = ("",),
    ) -> list[RunLine]:
        """The newest runs of some holders first, none of their results read; `before` is the id of
        the last run seen, which is one of theirs."""
        if before is not None:
            self.check_held(before, holders)
        # as bytes: an answer of an older journal may hold half of a character, which is no text
        query = (
            "SELECT id, status, reason, task, CAST(answer AS BLOB), model, created_at FROM runs "
            "WHERE (? IS NULL OR status = ?) AND "
            "(? IS NULL OR number < (SELECT number FROM runs WHERE id = ?)) "
            f"AND holder IN ({', '.join('?' * len(holders))}) ORDER BY number DESC LIMIT ?"
        )
        with self._database.reading() as connection:
            values = (status, status, before, before, *holders, max(0, limit))
            rows = connection.execute(query, values).fetchall()
        return [_line(*row) for row in rows]


def _line(
    run_id: str,
    status: str,
    reason: str | None,
    task: str,
    answer: bytes | None,
    model: str,
    created_at: str,
) -> RunLine:
    told = (answer or b"").decode("utf-8", "replace")
    return RunLine(run_id, status, reason, task, told, model, created_at)


def _run(row: sqlite3.Row, events: tuple[EventRow, ...] = ()) -> RunRow:
    return RunRow(
        id=row["id"],
        task=row["task"],
        model=row["model"],
        created_at=row["created_at"],
        extra=json.loads(row["extra"]),
        status=row["status"],
        reason=row["reason"],
        result=None if row["result"] is None else json.loads(row["result"]),
        events=events,
        owner=row["owner"],
        holder=row["holder"],
    )


def _extend(connection: sqlite3.Connection, run_id: str, rows: list[tuple[str, str]]) -> int:
    last = int(
        connection.execute(
            "SELECT COALESCE(MAX(seq), 0) FROM events WHERE run = ?", (run_id,)
        ).fetchone()[0]
    )
    numbered = [(run_id, seq, kind, text) for seq, (kind, text) in enumerate(rows, last + 1)]
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", numbered)
    return last + len(rows)


def _missing(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id} in the journal.")


def _exists(connection: sqlite3.Connection, run_id: str) -> bool:
    return connection.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is not None


def _require_unfinished(connection: sqlite3.Connection, run_id: str) -> None:
    row = connection.execute("SELECT status FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise _missing(run_id)
    if row["status"] not in UNFINISHED:
        raise StoreError(f"The run {run_id} has already ended ({row['status']}).")


def _json(value: Mapping[str, Any]) -> str:
    """JSON text that SQLite can hold: a lone surrogate from a model stays as its escape."""
    try:
        return json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The journal takes plain JSON only: {error}.") from None
