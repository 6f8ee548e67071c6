"""The libraries of this device: one file each, which knows what it was made of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge_agent.errors import ConfigError, NotFound, StoreError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.tools.library.folder import Folder
from edge_agent.tools.library.json_lines import JsonLines, is_json_lines
from edge_agent.tools.library.kind import AnyLibrary
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.source import Source, Told
from edge_agent.tools.library.sync import Refreshed
from edge_agent.tools.library.website import CrawlLimits, Website
from edge_agent.tools.library.zim import Zim
from edge_agent.tools.library.zim_in_place import ZimInPlace
from edge_agent.tools.web.client import WebClient

KINDS = ("folder", "jsonl", "website", "zim")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MADE_OF, _SYNCED = "made_of", "synced_at"


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a library is made of. pages: how many a website's crawl may take, 0 for the default.
    base_url: where its documents are also served over HTTP, or "". in_place: a ZIM file is searched
    by its own index, and nothing of it is copied."""

    kind: str
    location: str
    base_url: str = ""
    pages: int = 0
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Shelved:
    """A library as a list shows it. waiting: documents whose vectors are still to be made."""

    name: str
    made_of: MadeOf
    documents: int
    waiting: int
    synced_at: str
    file: Path


def kind_of(location: str) -> str:
    """What a location is, by how it looks. Raises ConfigError."""
    path = Path(location).expanduser()
    if location.startswith(("http://", "https://")):
        return "website"
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise ConfigError(f"There is no {location}: name a folder, a file or a website's address.")
    if path.suffix.lower() == ".zim":
        return "zim"
    if is_json_lines(path):
        return "jsonl"
    raise ConfigError(
        f"{location} is neither JSON lines (.jsonl, .ndjson, packed or not) nor a ZIM file: of "
        "single documents, give their folder, or say what it is with --kind."
    )


class Shelf:
    """Makes, lists, opens and removes libraries in `folder`.

    open_web: makes the client that crawls websites, under the egress rules of the device.
    """

    def __init__(self, folder: Path, open_web: Callable[[], WebClient]) -> None:
        self._folder = folder
        self._open_web = open_web

    def add(self, name: str, made_of: MadeOf) -> AnyLibrary:
        """A new library, empty until it is synced. Raises ConfigError: a bad or taken name."""
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a library: use letters, digits, . _ and -.")
        if self._file(name).exists():
            raise ConfigError(f"There is a library {name} already: sync it, or remove it first.")
        self._source(made_of)
        if made_of.in_place and made_of.kind != "zim":
            raise ConfigError("Only a ZIM file can be searched in place.")
        index = LibraryIndex(self._file(name))
        index.note(**{_MADE_OF: json.dumps(asdict(made_of))})
        index.close()
        return self.open(name)

    def names(self) -> list[str]:
        """In the order of the alphabet."""
        return sorted(file.stem for file in self._folder.glob("*.sqlite"))

    def open(self, name: str) -> AnyLibrary:
        """The library of that name, as it was synced last. Raises NotFound, StoreError."""
        made_of, _ = self._facts(name)
        if made_of.in_place:
            return ZimInPlace(name, Path(made_of.location), made_of.base_url)
        source = self._source(made_of)
        return Library(name, source, self._file(name), made_of.base_url, follow=False)

    def sync(self, name: str, library: AnyLibrary, told: Told) -> Refreshed:
        """Bring a library up to date and note when. Raises LibraryError, StoreError."""
        refreshed = library.refresh(told)
        index = LibraryIndex(self._file(name))
        index.note(**{_SYNCED: datetime.now(timezone.utc).isoformat(timespec="seconds")})
        index.close()
        return refreshed

    def listed(self) -> list[Shelved]:
        """All of them. Raises StoreError."""
        return [self._shelved(name) for name in self.names()]

    def _shelved(self, name: str) -> Shelved:
        made_of, synced_at = self._facts(name)
        library = self.open(name)
        try:
            documents, waiting = library.counts()
        finally:
            library.close()
        return Shelved(name, made_of, documents, waiting, synced_at, self._file(name))

    def remove(self, name: str) -> None:
        """Delete a library's index; what it was made of is not touched. Raises NotFound."""
        self._facts(name)
        for suffix in ("", "-wal", "-shm"):
            file = self._file(name)
            file.with_name(file.name + suffix).unlink(missing_ok=True)

    def _facts(self, name: str) -> tuple[MadeOf, str]:
        if not _NAME.fullmatch(name) or not self._file(name).exists():
            known = ", ".join(self.names()) or "none"
            raise NotFound(f"There is no library {name!r} on this device; there is: {known}.")
        index = LibraryIndex(self._file(name))
        try:
            made_of, synced_at = index.fact(_MADE_OF), index.fact(_SYNCED)
        finally:
            index.close()
        try:
            return MadeOf(**json.loads(made_of)), synced_at
        except (ValueError, TypeError):
            raise StoreError(
                f"{self._file(name)} does not say what it was made of: remove it and add the "
                "library again."
            ) from None

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite"

    def _source(self, made_of: MadeOf) -> Source:
        path = Path(made_of.location)
        if made_of.kind == "website":
            limits = CrawlLimits(made_of.pages) if made_of.pages else CrawlLimits()
            return Website(made_of.location, self._open_web, limits)
        if made_of.kind == "folder":
            return Folder(path)
        if made_of.kind == "jsonl":
            return JsonLines(path)
        if made_of.kind == "zim":
            return Zim(path)
        raise ConfigError(f"{made_of.kind!r} is no kind of library: use {', '.join(KINDS)}.")
