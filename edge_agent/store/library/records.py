"""What a library's index holds, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a library.

    path: unique in the library, with `/`. hash: of its content, so that a change is seen.
    url: where it is from, when it has an address of its own, else "". memo: what its source wants
    to be told of it the next time.
    """

    path: str
    hash: str
    title: str
    text: str
    media_type: str
    url: str = ""
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What of a document tells whether it has changed. memo: its source's own words."""

    hash: str
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as a result: what names it, without its text."""

    id: int
    path: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A document whose vectors were not made yet."""

    id: int
    hash: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The vectors of one document, each as float16 little-endian bytes."""

    id: int
    hash: str
    vectors: tuple[bytes, ...]
