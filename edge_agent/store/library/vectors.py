"""The vectors of a library's documents, and which of them are still to be made."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from edge_agent.store.database import Database
from edge_agent.store.library.records import Parts, Waiting
from edge_agent.store.library.schema import STAMP

_MADE_BY = "embedder"


class VectorTable:
    """Beside the words, in the same file. All methods raise StoreError when the disk fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def made_by(self, embedder: str) -> None:
        """Vectors of another model cannot be compared: they are dropped, to be made anew."""
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT value FROM facts WHERE key = ?", (_MADE_BY,)
            ).fetchone()
            if known is not None and known[0] == embedder:
                return
            connection.execute("DELETE FROM vectors")
            connection.execute(STAMP)
            connection.execute("UPDATE documents SET embedded = 0 WHERE embedded = 1")
            connection.execute(
                "REPLACE INTO facts (key, value) VALUES (?, ?)", (_MADE_BY, embedder)
            )

    def waiting(self, limit: int, chars: int) -> list[Waiting]:
        """The next documents without vectors, each with so many characters of its text."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, hash, title, substr(text, 1, ?) FROM documents WHERE embedded = 0 "
                "ORDER BY id LIMIT ?",
                (chars, limit),
            ).fetchall()
        return [Waiting(*row) for row in rows]

    def __len__(self) -> int:
        """Vectors."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def n_waiting(self) -> int:
        """Documents without vectors."""
        with self._database.reading() as connection:
            query = "SELECT count(*) FROM documents WHERE embedded = 0"
            return int(connection.execute(query).fetchone()[0])

    def put(self, made: Iterable[Parts]) -> None:
        """Keep vectors; those of a document that was removed or changed meanwhile are dropped."""
        with self._database.transaction() as connection:
            connection.execute(STAMP)
            for parts in made:
                cursor = connection.execute(
                    "UPDATE documents SET embedded = 1 WHERE id = ? AND hash = ?",
                    (parts.id, parts.hash),
                )
                if cursor.rowcount:
                    connection.executemany(
                        "REPLACE INTO vectors (document, part, vector) VALUES (?, ?, ?)",
                        [(parts.id, n, vector) for n, vector in enumerate(parts.vectors)],
                    )

    def stamp(self) -> str:
        """Differs whenever vectors were added or taken away."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE key = 'stamp'").fetchone()
        return "" if row is None else str(row[0])

    def all(self) -> tuple[list[int], bytes]:
        """The document of each vector, and all vectors one after another."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT document, vector FROM vectors ORDER BY document, part"
            ).fetchall()
        return [row[0] for row in rows], b"".join(row[1] for row in rows)

    def some(self, ids: Collection[int]) -> tuple[list[int], bytes]:
        """The same of a few documents."""
        marks = ", ".join("?" * len(ids))
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT document, vector FROM vectors WHERE document IN ({marks}) "
                "ORDER BY document, part",
                tuple(ids),
            ).fetchall()
        return [row[0] for row in rows], b"".join(row[1] for row in rows)
