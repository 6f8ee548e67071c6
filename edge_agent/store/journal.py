"""The journal's file: its tables, for the runs and the pages that prove them."""

from __future__ import annotations

from pathlib import Path

from edge_agent.store.database import Database

MIGRATIONS = (
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        task TEXT NOT NULL,
        model TEXT NOT NULL,
        created_at TEXT NOT NULL,
        extra TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'running',
        reason TEXT,
        result TEXT
    );
    CREATE TABLE events (
        run TEXT NOT NULL REFERENCES runs (id),
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TABLE pages (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        url TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        media_type TEXT NOT NULL,
        source TEXT NOT NULL,
        fetched_at TEXT NOT NULL
    );
    CREATE INDEX pages_by_url ON pages (url, fetched_at)
    """,
    # runs of before had no owner who could be asked whether it is alive: they count as cut off
    """
    ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    UPDATE runs SET status = 'failed', reason = 'env_error' WHERE status = 'running';
    CREATE INDEX runs_by_status ON runs (status)
    """,
    # runs of before are those that no key asked for
    "ALTER TABLE runs ADD COLUMN holder TEXT NOT NULL DEFAULT ''",
    # what a run came to is large, and a list shows only the answer of it
    """
    CREATE TABLE results (run TEXT PRIMARY KEY REFERENCES runs (id), result TEXT NOT NULL);
    INSERT INTO results SELECT id, result FROM runs WHERE result IS NOT NULL;
    UPDATE runs SET result = CASE WHEN json_valid(result) THEN json_extract(result, '$.answer') END;
    ALTER TABLE runs RENAME COLUMN result TO answer
    """,
)


def open_journal(path: Path) -> Database:
    """Open or create the journal. Raises StoreError."""
    return Database(path, MIGRATIONS)
