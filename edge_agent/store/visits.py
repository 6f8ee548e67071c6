"""Pages of the web as they were last read, with what their servers know them by."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from edge_agent.store.database import Database, storable

MIGRATIONS = (
    """
    CREATE TABLE visits (
        asked TEXT PRIMARY KEY,
        reader TEXT NOT NULL,
        url TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        links TEXT NOT NULL,
        media_type TEXT NOT NULL,
        fetched_at TEXT NOT NULL,
        good_until REAL NOT NULL,
        etag TEXT NOT NULL,
        modified TEXT NOT NULL,
        used_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX visits_by_use ON visits (used_at)
    """,
)
SWEEP_EVERY = 32  # pages that are kept between two looks at the size


@dataclass(frozen=True, slots=True)
class Visit:
    """A page under the address it was asked for; url is where it was found at last.

    reader: the version of the reader that made the text. links: as JSON. good_until, used_at:
    seconds since 1970. etag, modified: the server's words for this version, or "".
    """

    asked: str
    reader: str
    url: str
    title: str
    text: str
    links: str
    media_type: str
    fetched_at: str
    good_until: float
    etag: str
    modified: str
    used_at: float


_COLUMNS = tuple(field.name for field in fields(Visit))


class VisitStore:
    """The last visit to each address, up to `max_bytes` of text; those used longest ago go first.

    All methods raise StoreError when the disk fails.
    """

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._kept = 0

    def get(self, asked: str) -> Visit | None:
        """The last visit to an address."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM visits WHERE asked = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (storable(asked),)).fetchone()
        return None if row is None else Visit(*row)

    def put(self, visit: Visit) -> None:
        """Keep a visit in place of the last one."""
        row = [storable(value) if isinstance(value, str) else value for value in astuple(visit)]
        marks = ", ".join("?" * len(_COLUMNS))
        with self._database.transaction() as connection:
            connection.execute(f"INSERT OR REPLACE INTO visits VALUES ({marks})", row)
            if self._kept % SWEEP_EVERY == 0:
                self._sweep(connection)
        self._kept += 1

    def forget(self, asked: str) -> None:
        """It may not be kept any longer."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM visits WHERE asked = ?", (storable(asked),))

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Let the oldest go until the rest has room."""
        over = _bytes(connection) - self._max_bytes
        rows = connection.execute(
            "SELECT asked, length(text) + length(links) FROM visits ORDER BY used_at"
        )
        gone = []
        for asked, size in rows:
            if over <= 0:
                break
            gone.append((asked,))
            over -= size
        connection.executemany("DELETE FROM visits WHERE asked = ?", gone)


def _bytes(connection: sqlite3.Connection) -> int:
    total = connection.execute("SELECT sum(length(text) + length(links)) FROM visits").fetchone()
    return int(total[0] or 0)


def open_visits(path: Path) -> Database:
    """Open or create the file of visits. Raises StoreError."""
    return Database(path, MIGRATIONS)
