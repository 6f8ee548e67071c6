"""Bringing an index up to date with its source."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.errors import FetchError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.records import Document
from edge_agent.tools.library.source import Ended, Item, Met, Source, Told, Unread

_AT_ONCE = 256  # documents per transaction
_CHARS_AT_ONCE = 8_000_000
MAX_TOLD = 20  # problems that are named; the others are counted


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the source found; `skipped` is what is not read, or broken.

    problems: (path, why) of the first that were skipped, and why the source was not seen to its
    end, with "" for a path.
    """

    documents: int
    changed: int
    removed: int
    skipped: int
    problems: tuple[tuple[str, str], ...] = field(default=(), compare=False)


def follow(index: LibraryIndex, source: Source, told: Told) -> Refreshed:
    """Take in what is new or changed and drop what is gone; only that is read.

    What was taken in stays when this is broken off, and is not read again the next time. Raises
    LibraryError and StoreError.
    """
    reading = _Reading(index)
    for met in source.items(told, reading.known):
        reading.see(met)
    return reading.end()


class _Reading:
    """One walk over a source."""

    def __init__(self, index: LibraryIndex) -> None:
        self._index = index
        self.known = index.known()
        self._seen: set[str] = set()
        self._waiting: list[Document] = []
        self._memos: dict[str, str] = {}
        self._chars = 0
        self._changed = 0
        self._skipped = 0
        self._problems: list[tuple[str, str]] = []
        self._ended: list[str] = []

    def see(self, met: Met) -> None:
        if isinstance(met, Ended):
            self._ended.append(met.why)
        elif isinstance(met, Unread):
            self._pass(met)
        elif (known := self.known.get(met.path)) is not None and known.hash == met.hash:
            self._seen.add(met.path)
            if known.memo != met.memo:
                self._memos[met.path] = met.memo
        else:
            self._take(met)

    def _pass(self, unread: Unread) -> None:
        self._skipped += 1
        if len(self._problems) < MAX_TOLD:
            self._problems.append((unread.path, unread.why))
        if unread.kept and unread.path in self.known:
            self._seen.add(unread.path)

    def _take(self, item: Item) -> None:
        try:
            content = item.read()
        except FetchError as error:
            self._pass(Unread(item.path, str(error)))
            return
        self._seen.add(item.path)
        self._changed += 1
        self._chars += len(content.text)
        named = (item.path, item.hash, content.title, content.text, content.media_type)
        self._waiting.append(Document(*named, content.url, item.memo))
        if len(self._waiting) >= _AT_ONCE or self._chars >= _CHARS_AT_ONCE:
            self._write(set())

    def _write(self, removed: set[str]) -> None:
        self._index.update(self._waiting, removed, self._memos)
        self._waiting, self._memos, self._chars = [], {}, 0

    def end(self) -> Refreshed:
        removed = set() if self._ended else self.known.keys() - self._seen
        self._write(removed)
        documents = len(self.known.keys() | self._seen) - len(removed)
        problems = (*(("", why) for why in self._ended), *self._problems)
        return Refreshed(documents, self._changed, len(removed), self._skipped, problems)
