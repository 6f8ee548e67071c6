"""Every page that was read, kept word for word, so that a quote can be checked against it."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from edge_agent.errors import NotFound
from edge_agent.store.database import Database, storable


@dataclass(frozen=True, slots=True)
class PageRow:
    """A stored page. id is a hash of its url, title and text; fetched_at is ISO 8601 UTC."""

    id: str
    url: str
    title: str
    text: str
    media_type: str
    source: str
    fetched_at: str


class PageStore:
    """Pages by the hash of what they say. All methods raise StoreError when the disk fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, *, url: str, title: str, text: str, media_type: str, source: str, fetched_at: str
    ) -> str:
        """Keep a page and return its id; the same words again only move its date forward."""
        url, title, text = storable(url), storable(title), storable(text)
        page_id = page_hash(url, title, text)
        row = (page_id, url, title, text, media_type, source, fetched_at)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO pages (id, url, title, text, media_type, source, fetched_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "fetched_at = MAX(fetched_at, excluded.fetched_at)",
                row,
            )
        return page_id

    def get(self, page_id: str) -> PageRow:
        """The page of that id. Raises NotFound."""
        row = self._one("SELECT * FROM pages WHERE id = ?", page_id)
        if row is None:
            raise NotFound(f"There is no page {page_id} in the store.")
        return row

    def latest(self, url: str) -> PageRow | None:
        """What `url` said when it was last read, or None."""
        return self._one(
            "SELECT * FROM pages WHERE url = ? ORDER BY fetched_at DESC, number DESC LIMIT 1", url
        )

    def _one(self, query: str, key: str) -> PageRow | None:
        with self._database.reading() as connection:
            row = connection.execute(query, (storable(key),)).fetchone()
        return None if row is None else _page(row)


def page_hash(url: str, title: str, text: str) -> str:
    """The id of a page: 16 hex digits of SHA-256 over url, title and text."""
    joined = "\0".join((url, title, text))
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:16]


def _page(row: sqlite3.Row) -> PageRow:
    return PageRow(
        id=row["id"],
        url=row["url"],
        title=row["title"],
        text=row["text"],
        media_type=row["media_type"],
        source=row["source"],
        fetched_at=row["fetched_at"],
    )
