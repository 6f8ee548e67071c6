"""The tables of a library's file: documents, their words, their names, their vectors."""

from __future__ import annotations

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
    # url: where the document is from, when it has an address of its own. name: the title as names
    # are compared. embedded: whether its vectors were made.
    """
    ALTER TABLE documents ADD COLUMN url TEXT NOT NULL DEFAULT '';
    ALTER TABLE documents ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE documents ADD COLUMN embedded INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX documents_by_url ON documents (url) WHERE url <> '';
    CREATE INDEX documents_by_name ON documents (name) WHERE name <> '';
    CREATE INDEX documents_waiting ON documents (id) WHERE embedded = 0;
    CREATE TABLE vectors (
        document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
        part INTEGER NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (document, part)
    ) WITHOUT ROWID;
    CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
    """,
    # memo: what its source wants to be told of the document the next time
    """
    ALTER TABLE documents ADD COLUMN memo TEXT NOT NULL DEFAULT ''
    """,
)

# a change of the documents or of their vectors: what holds vectors in memory reads them anew
STAMP = (
    "INSERT INTO facts (key, value) VALUES ('stamp', '1') "
    "ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
)
