"""The index of one library: words in FTS5, names, and where its documents are."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from edge_agent.store.database import Database, storable
from edge_agent.store.library.names import name_of
from edge_agent.store.library.records import Document, Entry, Known
from edge_agent.store.library.schema import MIGRATIONS, STAMP

T = TypeVar("T")
SNIPPET_TOKENS = 60  # FTS5 allows at most 64
_ROOM = 900  # parameters of one statement; SQLite of before 3.32 takes 999
_FORGET = (
    "INSERT INTO words (words, rowid, title, text) "
    "SELECT 'delete', id, title, text FROM documents WHERE path = ?"
)
_INSERT = (
    "INSERT INTO documents (path, hash, title, text, media_type, url, name, memo) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SCORED = (
    "SELECT rowid, -bm25(words, ?, 1.0) AS score FROM words WHERE words MATCH ? "
    "ORDER BY score DESC, rowid LIMIT ?"
)
_DOCUMENT = "SELECT path, hash, title, text, media_type, url FROM documents"


class LibraryIndex:
    """The index of one library, in its own file. All methods raise StoreError if the disk fails."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, MIGRATIONS)

    def known(self) -> dict[str, Known]:
        """Everything indexed, by its path."""
        with self.database.reading() as connection:
            rows = connection.execute("SELECT path, hash, memo FROM documents").fetchall()
        return {path: Known(digest, memo) for path, digest, memo in rows}

    def __len__(self) -> int:
        """Documents."""
        with self.database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def update(
        self,
        changed: Iterable[Document],
        removed: Iterable[str] = (),
        memos: Mapping[str, str] | None = None,
    ) -> None:
        """Take out what was removed or changed and put in what is new, as one transaction.

        memos: by path, of documents that stay as they are.
        """
        documents = list(changed)
        with self.database.transaction() as connection:
            connection.execute(STAMP)
            for path in [*removed, *(document.path for document in documents)]:
                connection.execute(_FORGET, (path,))
                connection.execute("DELETE FROM documents WHERE path = ?", (path,))
            for document in documents:
                _put(connection, document)
            rows = [(memo, path) for path, memo in (memos or {}).items()]
            connection.executemany("UPDATE documents SET memo = ? WHERE path = ?", rows)

    def search(self, match: str, title_weight: float, limit: int) -> list[tuple[int, float]]:
        """(id, score) of the documents that match an expression of `match.py`, best first.

        The score is BM25; a word in the title counts as `title_weight` in the text.
        """
        if not match:
            return []
        with self.database.reading() as connection:
            rows = connection.execute(_SCORED, (title_weight, match, max(0, limit))).fetchall()
        return [(row["rowid"], row["score"]) for row in rows]

    def snippets(self, ids: Collection[int], match: str) -> dict[int, str]:
        """The passage of each document that matches best; those that match nowhere have none."""
        if not match:
            return {}
        query = (
            "SELECT rowid, snippet(words, 1, '', '', '…', ?) AS snippet FROM words "
            f"WHERE words MATCH ? AND rowid IN ({_marks(ids)})"
        )
        with self.database.reading() as connection:
            rows = connection.execute(query, (SNIPPET_TOKENS, match, *ids)).fetchall()
        return {row["rowid"]: " ".join(row["snippet"].split()) for row in rows}

    def named(self, names: Sequence[str]) -> dict[str, list[int]]:
        """name -> ids of the documents whose title it is (see `names.name_of`)."""
        found: dict[str, list[int]] = {}
        with self.database.reading() as connection:
            for some in _portions(names):
                query = (  # said twice, as an index that leaves out "" is used for nothing less
                    f"SELECT id, name FROM documents WHERE name <> '' AND name IN ({_marks(some)})"
                )
                for row in connection.execute(query, some):
                    found.setdefault(row["name"], []).append(row["id"])
        return found

    def entries(self, ids: Collection[int]) -> dict[int, Entry]:
        """What names these documents, by id."""
        found: dict[int, Entry] = {}
        with self.database.reading() as connection:
            for some in _portions(list(ids)):
                query = f"SELECT id, path, title, url FROM documents WHERE id IN ({_marks(some)})"
                found.update((row["id"], Entry(*row)) for row in connection.execute(query, some))
        return found

    def beginnings(self, ids: Collection[int], chars: int) -> dict[int, str]:
        """The first characters of these documents' texts, by id."""
        query = f"SELECT id, substr(text, 1, ?) FROM documents WHERE id IN ({_marks(ids)})"
        with self.database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query, (chars, *ids))}

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""
        return self._one("path", path)

    def at(self, url: str) -> Document | None:
        """The document that is from `url`, or None."""
        return self._one("url", url) if url else None

    def _one(self, column: str, value: str) -> Document | None:
        query = f"{_DOCUMENT} WHERE {column} = ? AND {column} <> '' LIMIT 1"
        with self.database.reading() as connection:
            row = connection.execute(query, (storable(value),)).fetchone()
        return None if row is None else Document(*row)

    def fact(self, key: str) -> str:
        """What was noted about the library under `key`, or ""."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def note(self, **facts: str) -> None:
        """Note facts about the library."""
        with self.database.transaction() as connection:
            connection.executemany("REPLACE INTO facts (key, value) VALUES (?, ?)", facts.items())

    def close(self) -> None:
        """Give the file back."""
        self.database.close()


def _put(connection: sqlite3.Connection, document: Document) -> None:
    title, text = storable(document.title), storable(document.text)
    row = (document.path, document.hash, title, text, document.media_type, document.url)
    cursor = connection.execute(_INSERT, (*row, name_of(title), document.memo))
    connection.execute(
        "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (cursor.lastrowid, title, text)
    )


def _portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement takes."""
    return (values[start : start + _ROOM] for start in range(0, len(values), _ROOM))


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
