"""A full-text index of documents: FTS5, BM25 with the title weighted, never tripped by a query."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.store.database import Database, storable

TITLE_WEIGHT = 4.0  # a word in the title counts as four in the text
SNIPPET_TOKENS = 60  # FTS5 allows at most 64
MAX_QUERY_TOKENS = 48

MIGRATIONS = (
    """
    CREATE TABLE documents (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        media_type TEXT NOT NULL
    );
    CREATE VIRTUAL TABLE words USING fts5 (
        title, text, content='documents', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    )
    """,
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a library: `path` is relative with `/`, `hash` identifies the file's bytes."""

    path: str
    hash: str
    title: str
    text: str
    media_type: str


@dataclass(frozen=True, slots=True)
class IndexHit:
    """A document that matches; a larger `score` (BM25) is a better match."""

    path: str
    title: str
    snippet: str
    score: float


class LibraryIndex:
    """The index of one library, in its own file. All methods raise StoreError if the disk fails."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS)

    def hashes(self) -> dict[str, str]:
        """path -> hash of everything indexed."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path, hash FROM documents").fetchall()
        return {row["path"]: row["hash"] for row in rows}

    def update(self, changed: Iterable[Document], removed: Iterable[str] = ()) -> None:
        """Take out what was removed or changed and put in what is new, as one transaction."""
        documents = list(changed)
        with self._database.transaction() as connection:
            for path in [*removed, *(document.path for document in documents)]:
                connection.execute(
                    "INSERT INTO words (words, rowid, title, text) "
                    "SELECT 'delete', id, title, text FROM documents WHERE path = ?",
                    (path,),
                )
                connection.execute("DELETE FROM documents WHERE path = ?", (path,))
            for d in documents:
                cursor = connection.execute(
                    "INSERT INTO documents (path, hash, title, text, media_type) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (d.path, d.hash, storable(d.title), storable(d.text), d.media_type),
                )
                connection.execute(
                    "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
                    (cursor.lastrowid, storable(d.title), storable(d.text)),
                )

    def search(self, query: str, limit: int = 10) -> list[IndexHit]:
        """The documents that share words with `query`, best first; any text at all is a query."""
        match = match_expression(query)
        if not match:
            return []
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT path, documents.title AS title, rank_of.score AS score, "
                "rank_of.snippet AS snippet FROM (SELECT rowid, -bm25(words, ?, 1.0) AS score, "
                "snippet(words, 1, '', '', '…', ?) AS snippet FROM words WHERE words MATCH ? "
                "ORDER BY score DESC LIMIT ?) AS rank_of "
                "JOIN documents ON documents.id = rank_of.rowid ORDER BY score DESC, path",
                (TITLE_WEIGHT, SNIPPET_TOKENS, match, max(0, limit)),
            ).fetchall()
        return [
            IndexHit(row["path"], row["title"], " ".join(row["snippet"].split()), row["score"])
            for row in rows
        ]

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT path, hash, title, text, media_type FROM documents WHERE path = ?", (path,)
            ).fetchone()
        return None if row is None else Document(*row)

    def close(self) -> None:
        """Give the file back."""
        self._database.close()


def match_expression(query: str) -> str:
    """An FTS5 expression that matches any word of `query`; "" when it has no word.

    Words are what FTS5's unicode61 takes for words (letters, numbers, marks); each is quoted, so
    nothing in the query can act as an operator.
    """
    kept = "".join(
        char if unicodedata.category(char)[0] in "LNM" else " "
        for char in unicodedata.normalize("NFC", query)
    )
    words = list(dict.fromkeys(kept.lower().split()))[:MAX_QUERY_TOKENS]
    return " OR ".join(f'"{word}"' for word in words)
