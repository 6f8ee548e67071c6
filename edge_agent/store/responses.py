"""Responses that clients asked to be kept: what was said, and the tokens it was said in."""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import NotFound, StoreError
from edge_agent.store.database import Database, storable

KEPT_S = 30 * 24 * 3600  # as long as OpenAI keeps them
MOST_KEPT = 5_000  # then the oldest go; a full window of 32K tokens is about 300 kB
UNFINISHED = ("queued", "in_progress")
Json = dict[str, Any]
Ids = tuple[int, ...]

MIGRATIONS = (
    """
    CREATE TABLE responses (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        status TEXT NOT NULL,
        owner TEXT NOT NULL,
        body TEXT NOT NULL,
        response TEXT NOT NULL,
        context TEXT NOT NULL,
        head TEXT NOT NULL,
        prompt_ids BLOB NOT NULL,
        completion_ids BLOB NOT NULL,
        events TEXT
    );
    CREATE INDEX responses_by_status ON responses (status);
    CREATE TABLE items (
        id TEXT PRIMARY KEY,
        response TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
        item TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX items_by_response ON items (response)
    """,
    # responses of before are those that no key asked for
    "ALTER TABLE responses ADD COLUMN holder TEXT NOT NULL DEFAULT ''",
)


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """A response as kept. created_at is Unix time in seconds.

    status: as in `response`. owner: who works on it while it is unfinished (see `store.owner`).
    body: the request as it came, where it may have to be worked on anew. context: every item the
    model was given, those of the responses before it included, so that each row stands by itself.
    head: what its prompt begins with, as a hash. prompt_ids, completion_ids: the tokens as they
    were computed, none where they are not known. events: what a stream of it told, None where
    nobody may ask for that again. holder: whose API key asked for it, "" where none did.
    """

    id: str
    created_at: int
    status: str
    body: Json
    response: Json
    context: tuple[Json, ...]
    owner: str = ""
    head: str = ""
    prompt_ids: Ids = ()
    completion_ids: Ids = ()
    events: tuple[Json, ...] | None = None
    holder: str = ""


class ResponseStore:
    """Responses in a file of their own. Every write is on the disk when it returns.

    Those that are older than KEPT_S, and the oldest of more than `most`, are forgotten when a new
    one comes. All methods raise StoreError when the disk fails.
    """

    def __init__(self, database: Database, most: int = MOST_KEPT) -> None:
        self._database = database
        self._most = most

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def put(self, row: ResponseRow) -> None:
        """Keep a response, in place of what was kept of it before; its output can be found by id.
        One that was deleted meanwhile comes back."""
        values = _values(row)
        marks = ", ".join(f":{name}" for name in values)
        names = ", ".join(values)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM responses WHERE id = ?", (row.id,))
            connection.execute(f"INSERT INTO responses ({names}) VALUES ({marks})", values)
            connection.executemany(
                "INSERT OR REPLACE INTO items (id, response, item) VALUES (?, ?, ?)",
                [(i["id"], row.id, _text(i)) for i in row.response["output"] if i.get("id")],
            )
            _forget(connection, self._most)

    def get(self, response_id: str) -> ResponseRow:
        """Raises NotFound."""
        row = self._one("SELECT * FROM responses WHERE id = ?", response_id)
        if row is None:
            raise _missing(response_id)
        return _row(row)

    def check_held(self, response_id: str, holders: Collection[str]) -> None:
        """Raises NotFound for a response of anybody else, as for one that is not there."""
        row = self._one("SELECT holder FROM responses WHERE id = ?", response_id)
        if row is None or row["holder"] not in holders:
            raise _missing(response_id)

    def item(self, item_id: str, holders: Collection[str] = ("",)) -> Json:
        """An item of the output of some response of these holders. Raises NotFound."""
        row = self._one(
            "SELECT items.item, responses.holder FROM items JOIN responses "
            "ON responses.id = items.response WHERE items.id = ?",
            item_id,
        )
        if row is None or row["holder"] not in holders:
            raise NotFound(f"There is no item {item_id!r} in the responses that are stored here.")
        item: Json = json.loads(row["item"])
        return item

    def delete(self, response_id: str) -> None:
        """Forget a response; those that follow it stay whole. Raises NotFound."""
        with self._database.transaction() as connection:
            gone = connection.execute(
                "DELETE FROM responses WHERE id = ?", (storable(response_id),)
            )
            if not gone.rowcount:
                raise _missing(response_id)

    def unfinished(self) -> list[ResponseRow]:
        """Those that wait or are worked on, or were when their owner died; oldest first."""
        query = "SELECT * FROM responses WHERE status IN (?, ?) ORDER BY number"
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute(query, UNFINISHED).fetchall()]

    def adopt(self, response_id: str, owner: str, heir: str) -> bool:
        """Give an unfinished response of a dead `owner` to its `heir`: to one of many."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE responses SET owner = ? WHERE id = ? AND owner = ?",
                (heir, response_id, owner),
            )
            return changed.rowcount == 1

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def _one(self, query: str, key: str) -> sqlite3.Row | None:
        with self._database.reading() as connection:
            row: sqlite3.Row | None = connection.execute(query, (storable(key),)).fetchone()
        return row


@dataclass(frozen=True, slots=True)
class Shelf:
    """What some holders have in a store; nothing else is there."""

    store: ResponseStore
    holders: Collection[str]

    def get(self, response_id: str) -> ResponseRow:
        """See `ResponseStore.get`."""
        self.store.check_held(response_id, self.holders)
        return self.store.get(response_id)

    def item(self, item_id: str) -> Json:
        """See `ResponseStore.item`."""
        return self.store.item(item_id, self.holders)


def open_responses(path: Path) -> ResponseStore:
    """Open or create the file. Raises StoreError."""
    return ResponseStore(Database(path, MIGRATIONS))


def _missing(response_id: str) -> NotFound:
    return NotFound(f"There is no response {response_id!r} here: it was not stored.")


def _forget(connection: sqlite3.Connection, most: int) -> None:
    """Finished responses that are old, or too many."""
    connection.execute(
        "DELETE FROM responses WHERE status NOT IN (?, ?) AND (created_at < ? OR number <= "
        "(SELECT MAX(number) FROM responses) - ?)",
        (*UNFINISHED, int(time.time()) - KEPT_S, most),
    )


def _values(row: ResponseRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": row.created_at,
        "status": row.status,
        "owner": row.owner,
        "body": _text(row.body),
        "response": _text(row.response),
        "context": _text(row.context),
        "head": row.head,
        "prompt_ids": array("i", row.prompt_ids).tobytes(),
        "completion_ids": array("i", row.completion_ids).tobytes(),
        "events": None if row.events is None else _text(row.events),
        "holder": row.holder,
    }


def _row(row: sqlite3.Row) -> ResponseRow:
    return ResponseRow(
        id=row["id"],
        created_at=row["created_at"],
        status=row["status"],
        body=json.loads(row["body"]),
        response=json.loads(row["response"]),
        context=tuple(json.loads(row["context"])),
        owner=row["owner"],
        head=row["head"],
        prompt_ids=_ids(row["prompt_ids"]),
        completion_ids=_ids(row["completion_ids"]),
        events=None if row["events"] is None else tuple(json.loads(row["events"])),
        holder=row["holder"],
    )


def _ids(data: bytes) -> Ids:
    ids = array("i")
    ids.frombytes(data)
    return tuple(ids)


def _text(value: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> str:
    """JSON text that SQLite can hold: a lone surrogate from a model stays as its escape."""
    try:
        return json.dumps(value if isinstance(value, Mapping) else list(value), ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"A response takes plain JSON only: {error}.") from None
