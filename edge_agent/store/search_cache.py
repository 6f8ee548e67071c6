"""What search engines answered, for a while, and which of them want to be left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.store.database import Database, storable

MAX_ANSWERS = 20_000  # kept at most, about 100 MB; the oldest go first
MIGRATIONS = (
    """
    CREATE TABLE answers (
        engine TEXT NOT NULL,
        query TEXT NOT NULL,
        most INTEGER NOT NULL,
        hits TEXT NOT NULL,
        asked_at REAL NOT NULL,
        PRIMARY KEY (engine, query, most)
    ) WITHOUT ROWID;
    CREATE INDEX answers_by_age ON answers (asked_at);
    CREATE TABLE pauses (engine TEXT PRIMARY KEY, until REAL NOT NULL, seconds REAL NOT NULL)
    """,
)


@dataclass(frozen=True, slots=True)
class Pause:
    """An engine is not asked before `until` (seconds since 1970); it lasts `seconds`."""

    until: float
    seconds: float


class SearchCache:
    """Answers by engine and query, in a file of its own. Methods raise StoreError if the disk
    fails. Times are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def get(self, engine: str, query: str, most: int, since: float) -> tuple[str, float] | None:
        """(hits as JSON, when they were asked for) if that was after `since`."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT hits, asked_at FROM answers WHERE engine = ? AND query = ? AND most = ? "
                "AND asked_at > ?",
                (engine, storable(query), most, since),
            ).fetchone()
        return None if row is None else (row["hits"], row["asked_at"])

    def put(self, engine: str, query: str, most: int, hits: str, now: float, since: float) -> None:
        """Keep an answer, and forget those of before `since`."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM answers WHERE asked_at <= ?", (since,))
            connection.execute(
                "REPLACE INTO answers (engine, query, most, hits, asked_at) VALUES (?, ?, ?, ?, ?)",
                (engine, storable(query), most, storable(hits), now),
            )
            connection.execute(
                "DELETE FROM answers WHERE asked_at < (SELECT min(asked_at) FROM (SELECT asked_at "
                "FROM answers ORDER BY asked_at DESC LIMIT ?))",
                (MAX_ANSWERS,),
            )

    def pause_of(self, engine: str) -> Pause | None:
        """The last pause of an engine, over or not."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT until, seconds FROM pauses WHERE engine = ?", (engine,)
            ).fetchone()
        return None if row is None else Pause(row["until"], row["seconds"])

    def pause(self, engine: str, pause: Pause) -> None:
        """Leave an engine alone for a while."""
        with self._database.transaction() as connection:
            connection.execute(
                "REPLACE INTO pauses (engine, until, seconds) VALUES (?, ?, ?)",
                (engine, pause.until, pause.seconds),
            )

    def resume(self, engine: str) -> None:
        """It answered: its pauses are short again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM pauses WHERE engine = ?", (engine,))

    def close(self) -> None:
        """Give the file back."""
        self._database.close()
