"""Where a library's documents come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from edge_agent.store.library.records import Known

Told: TypeAlias = Callable[[int, int], None]
"""How far a reading has come: (done, of how many), 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Content:
    """A document as text. url: the address it has of its own, or ""."""

    title: str
    text: str
    media_type: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A document that is there. hash: of its content. read: makes text of it when that is needed;
    raises FetchError for one that cannot be read. memo: comes back with `known` the next time."""

    path: str
    hash: str
    read: Callable[[], Content]
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that is there and is no document, or cannot be read now; why is a sentence.

    kept: what the library knows of it stays, since it may be readable another time.
    """

    path: str
    why: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The source was not seen to its end: what was not met is not gone, and stays."""

    why: str


Met: TypeAlias = Item | Unread | Ended


class Source(Protocol):
    """A set of documents. `items` raises LibraryError when there is no such source.

    known: what the library has of it, by path.
    """

    @property
    def kind(self) -> str:
        """folder, jsonl, website or zim."""
        ...

    @property
    def location(self) -> str:
        """Its path or address, as `library add` takes it."""
        ...

    def items(self, told: Told, known: Mapping[str, Known]) -> Iterator[Met]: ...


def silent(done: int, total: int) -> None:
    """A Told that tells nobody."""
