"""The journal of runs: what happened, in order, as plain JSON rows that are only ever added."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.errors import NotFound, StoreError
from edge_agent.store.database import Database, storable


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened in a run; `seq` counts from 1."""

    seq: int
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as recorded. status is "running" until `finish`; result is what `finish` was given.

    A run that is still "running" when no process works on it was cut off: its events are whole.
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


class RunStore:
    """Runs and their events in the journal's file. Every write is on the disk when it returns.

    All methods raise StoreError when the disk fails, and NotFound for an unknown run.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, run_id: str, task: str, model: str, created_at: str, extra: Mapping[str, Any]
    ) -> None:
        """Begin a run. A second run of the same id is a StoreError."""
        row = (run_id, storable(task), model, created_at, _json(extra))
        with self._database.transaction() as connection:
            if _exists(connection, run_id):
                raise StoreError(f"The run {run_id} is already in the journal: use another id.")
            connection.execute(
                "INSERT INTO runs (id, task, model, created_at, extra) VALUES (?, ?, ?, ?, ?)", row
            )

    def append(self, run_id: str, kind: str, payload: Mapping[str, Any]) -> int:
        """Add an event to a running run and return its number. A finished run takes no more."""
        text = _json(payload)
        with self._database.transaction() as connection:
            _require_running(connection, run_id)
            seq = connection.execute(
                "SELECT COALESCE(MAX(seq), 0) + 1 FROM events WHERE run = ?", (run_id,)
            ).fetchone()[0]
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (run_id, seq, kind, text))
        return int(seq)

    def finish(
        self, run_id: str, status: str, reason: str | None, payload: Mapping[str, Any]
    ) -> None:
        """Close a run with its result. A run ends once: a second end is a StoreError."""
        text = _json(payload)
        with self._database.transaction() as connection:
            _require_running(connection, run_id)
            connection.execute(
                "UPDATE runs SET status = ?, reason = ?, result = ? WHERE id = ?",
                (status, reason, text, run_id),
            )

    def get(self, run_id: str) -> RunRow:
        """A run with its events in the order they happened."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
            events = connection.execute(
                "SELECT seq, kind, payload FROM events WHERE run = ? ORDER BY seq", (run_id,)
            ).fetchall()
        if row is None:
            raise NotFound(f"There is no run {run_id} in the journal.")
        return _run(row, tuple(EventRow(seq, kind, json.loads(text)) for seq, kind, text in events))

    def list(self, limit: int = 20, before: str | None = None) -> list[RunRow]:
        """The newest runs first, without events; `before` is the id of the last run seen."""
        query = (
            "SELECT * FROM runs WHERE ? IS NULL OR number < (SELECT number FROM runs WHERE id = ?) "
            "ORDER BY number DESC LIMIT ?"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, (before, before, max(0, limit))).fetchall()
        return [_run(row) for row in rows]


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
    )


def _exists(connection: sqlite3.Connection, run_id: str) -> bool:
    return connection.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is not None


def _require_running(connection: sqlite3.Connection, run_id: str) -> None:
    row = connection.execute("SELECT status FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id} in the journal.")
    if row["status"] != "running":
        raise StoreError(f"The run {run_id} has already ended ({row['status']}).")


def _json(value: Mapping[str, Any]) -> str:
    """JSON text that SQLite can hold: a lone surrogate from a model stays as its escape."""
    try:
        return json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The journal takes plain JSON only: {error}.") from None
