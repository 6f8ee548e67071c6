"""One SQLite file: opened or created, brought to its schema, shared by threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge_agent.errors import StoreError

BUSY_TIMEOUT_S = 10.0  # how long a write waits for another process's write


class Database:
    """A connection in WAL mode behind a lock, so that any thread may use it.

    `migrations` are scripts in order; `user_version` of the file says how many of them it has
    seen. A commit is on the disk when `transaction` is left (synchronous=FULL), also after a power
    cut. Raises StoreError when the file is no database, cannot be written, or is newer than this
    program.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(migrations)
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, migrations: Sequence[str]) -> None:
        with self._translated():
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
        with self.transaction() as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(migrations):
                raise StoreError(
                    f"{self.path} was written by a newer edge-agent (schema {version}, this one "
                    f"knows {len(migrations)}): update edge-agent or move the file away."
                )
            for script in migrations[version:]:
                for statement in script.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={len(migrations)}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed when the block ends, rolled back when it raises."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for a few SELECTs, one thread at a time."""
        with self._lock, self._translated():
            yield self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self.path} cannot be used as a database ({error}): check that the folder can be "
                "written and has room, or move the file away to begin a new one."
            ) from error

    def close(self) -> None:
        """Give the file back; using the database afterwards is a StoreError."""
        with self._lock:
            self._connection.close()


def storable(text: str) -> str:
    """`text` as SQLite can hold it: a lone surrogate, which no encoding knows, becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")
