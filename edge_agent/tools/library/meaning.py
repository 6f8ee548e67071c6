"""The meanings of a library's documents: vectors that are filled in behind the words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.store.library.records import Parts, Waiting
from edge_agent.store.library.vectors import VectorTable
from edge_agent.tools.embed import TextEmbedder, Vectors

PART_CHARS = 1000  # about what the embedder reads of a text, 256 tokens, with the title before it
MAX_PARTS = 4  # of a document: its lead and what follows at once
HELD = 200_000  # vectors kept in memory: 300 MB of 384 dimensions
BATCH = 64  # documents: short and long texts find their like to be batched with
_STORED = np.dtype("<f2")


def parts_of(title: str, text: str) -> list[str]:
    """What of a document is embedded: its title with each of its first parts, cut between words."""
    lead = text.strip()
    parts: list[str] = []
    while lead and len(parts) < MAX_PARTS:
        cut = len(lead) if len(lead) <= PART_CHARS else lead.rfind(" ", 1, PART_CHARS) + 1
        parts.append(lead[: cut or PART_CHARS].strip())
        lead = lead[cut or PART_CHARS :].strip()
    return [f"{title}. {part}" for part in parts] or [title]


@dataclass(frozen=True, slots=True)
class _Held:
    """All vectors of a library. ids: the document of each row, ascending."""

    stamp: str
    ids: NDArray[np.int64]
    rows: Vectors


class Meanings:
    """Likeness of a library's documents to a query, as far as their vectors were made.

    held: how many vectors are kept in memory; of a library with more, none is, and each is looked
    up. May be used from several threads. Raises StoreError, and BadModelFile at the first use of an
    embedder that is broken.
    """

    def __init__(
        self, table: VectorTable, embedder: TextEmbedder, name: str, held: int = HELD
    ) -> None:
        self._most = held
        self._table = table
        self._embedder = embedder
        self._held: _Held | None = None
        self._lock = threading.Lock()
        table.made_by(name)

    def fill(self, at_most: int = BATCH) -> int:
        """Make the vectors of the next documents; how many, 0 when all have theirs."""
        waiting = self._table.waiting(at_most, PART_CHARS * MAX_PARTS)
        if waiting:
            self._table.put(self._made(waiting))
        return len(waiting)

    def _made(self, waiting: Sequence[Waiting]) -> list[Parts]:
        texts = [parts_of(each.title, each.text) for each in waiting]
        rows = iter(self._embedder.encode([part for parts in texts for part in parts]))
        return [
            Parts(each.id, each.hash, tuple(_packed(next(rows)) for _ in parts))
            for each, parts in zip(waiting, texts, strict=True)
        ]

    def vector(self, query: str) -> Vectors:
        """The query's own."""
        return np.asarray(self._embedder.encode([query])[0], dtype=np.float32)

    def nearest(self, vector: Vectors, limit: int) -> list[int] | None:
        """The documents with the likest part, best first; None where there are too many vectors."""
        held = self._all()
        if held is None:
            return None
        return _ordered(held.ids, held.rows @ vector, limit) if len(held.ids) else []

    def by_likeness(self, vector: Vectors, ids: Sequence[int]) -> list[int]:
        """These documents, the likest first; those without vectors are left out."""
        found, data = self._table.some(ids) if ids else ([], b"")
        if not found:
            return []
        rows = _unpacked(data, found)
        return _ordered(np.array(found, dtype=np.int64), rows @ vector, len(ids))

    def _all(self) -> _Held | None:
        with self._lock:
            stamp = self._table.stamp()
            if self._held is None or self._held.stamp != stamp:
                self._held = self._read(stamp)
            return self._held

    def _read(self, stamp: str) -> _Held | None:
        if len(self._table) > self._most:
            return None
        ids, data = self._table.all()
        return _Held(stamp, np.array(ids, dtype=np.int64), _unpacked(data, ids))


def _ordered(ids: NDArray[np.int64], scores: Vectors, limit: int) -> list[int]:
    """Each document once, by the score of its best part; `ids` are ascending."""
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    best = np.maximum.reduceat(scores, starts)
    places = np.arange(len(best))
    if limit < len(best):  # to sort all of them would take as long as to compare them
        least = np.partition(best, -limit)[-limit]
        places = np.flatnonzero(best >= least)
    places = places[np.argsort(-best[places], kind="stable")[:limit]]
    return [int(one) for one in ids[starts[places]]]


def _packed(vector: Vectors) -> bytes:
    return vector.astype(_STORED).tobytes()


def _unpacked(data: bytes, ids: Sequence[int]) -> Vectors:
    rows = np.frombuffer(data, dtype=_STORED).astype(np.float32)
    return rows.reshape(len(ids), -1) if ids else rows.reshape(0, 0)
