"""A ZIM file, such as Kiwix gives out of Wikipedia, as a source of documents."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_agent.errors import FetchError, LibraryError
from edge_agent.store.library.records import Known
from edge_agent.tools.library.source import Content, Item, Met, Told, Unread
from edge_agent.tools.read.apart import extract_here
from edge_agent.tools.read.extract import fingerprint
from edge_agent.tools.read.media import HTML_TYPES

MISSING = (
    "ZIM files need the package libzim, which is not installed: pip install 'edge-agent[zim]'."
)
_TEXTS = HTML_TYPES | {"text/plain", "text/markdown", "application/pdf"}


def libzim(module: str) -> ModuleType:
    """A module of libzim, which is an extra. Raises LibraryError without it."""
    try:
        return importlib.import_module(f"libzim.{module}")
    except ModuleNotFoundError:
        raise LibraryError(MISSING) from None


def opened(file: Path) -> Any:
    """The archive. Raises LibraryError."""
    reader = libzim("reader")
    try:
        return reader.Archive(file)
    except RuntimeError as error:
        raise LibraryError(f"Its file is no ZIM file that can be read ({error}).") from None


class Zim:
    """Every article of the file: what is text, and no redirect."""

    kind = "zim"

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def location(self) -> str:
        return str(self._file)

    def items(self, told: Told, known: Mapping[str, Known]) -> Iterator[Met]:
        """In the order of their paths. Raises LibraryError."""
        archive = opened(self._file)
        for number in range(archive.entry_count):
            told(number, archive.entry_count)
            entry = archive._get_entry_by_id(number)  # libzim has no other way through all
            if not entry.is_redirect:
                met = _item(entry.get_item())
                if met is not None:
                    yield met


def _item(item: Any) -> Item | Unread | None:
    """None for pictures, styles and the like, which nobody would miss."""
    media_type = _media_type(item)
    if media_type not in _TEXTS:
        return None
    try:
        data = bytes(item.content)
    except RuntimeError as error:
        return Unread(item.path, f"it is damaged ({error})")
    return Item(item.path, fingerprint(data, media_type), functools.partial(content_of, item))


def content_of(item: Any, at_most: int | None = None) -> Content:
    """An item of an archive as text, or of so many of its bytes. Raises FetchError."""
    media_type, path = _media_type(item), item.path
    try:
        data = bytes(item.content[:at_most])
    except RuntimeError as error:
        raise FetchError(f"{path} is damaged ({error}).", path, "unreachable") from None
    found = extract_here(data, media_type, "utf-8", path)
    return Content(item.title or found.title, found.text, media_type)


def _media_type(item: Any) -> str:
    name: str = item.mimetype
    return name.partition(";")[0].strip().lower()
