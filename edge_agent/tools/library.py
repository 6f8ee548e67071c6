"""A folder of documents as a search engine and a source of pages."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, unquote

from edge_agent.errors import FetchError, LibraryError, StoreError
from edge_agent.store.library_index import Document, LibraryIndex
from edge_agent.tools.base import Page, SearchHit
from edge_agent.tools.extract import extract
from edge_agent.tools.media import charset_of, media_type_of, suffix_type

SCHEME = "library://"
MAX_FILE_BYTES = 64 * 2**20
_READER_VERSION = "1"  # part of each hash: a change in extraction makes every document new
_AT_ONCE = 64  # documents per transaction


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the folder found; `skipped` files are of a kind not read, or broken."""

    documents: int
    changed: int
    removed: int
    skipped: int


class Library:
    """HTML, Markdown, text, CSV, JSON and PDF files under `folder`, indexed in `index_path`.

    A document's URL is `library://NAME/relpath`, or base_url + relpath when the folder is also
    served over HTTP. The index follows the folder by content: only new and changed files are read
    again. The folder is looked at before the first search and whenever `refresh` is called. Errors
    reach clients over the network, so they name no path of this machine.
    """

    def __init__(
        self, name: str, folder: Path, index_path: Path, base_url: str | None = None
    ) -> None:
        self._name = name
        self._folder = folder
        self._index_path = index_path
        self._base = f"{base_url.rstrip('/')}/" if base_url else f"{SCHEME}{quote(name)}/"
        self._index: LibraryIndex | None = None
        self._looked = False  # the folder was found to hold documents
        self._opening = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    def refresh(self) -> Refreshed:
        """Bring the index up to date. Raises LibraryError: no such folder, or nothing to read."""
        if self._index is None:
            self._index = self._open()
        try:
            refreshed = self._follow(self._index)
        except StoreError as error:
            raise LibraryError(f"The library {self._name} cannot be indexed: {error}") from error
        if not refreshed.documents:
            raise LibraryError(
                f"The library {self._name} is empty: its folder has no HTML, Markdown, text, CSV, "
                "JSON or PDF file with words in it."
            )
        self._looked = True
        return refreshed

    def _open(self) -> LibraryIndex:
        if not self._folder.is_dir():
            raise LibraryError(
                f"The library {self._name} has no folder: what it was given does not exist or is "
                "not a folder."
            )
        try:
            return LibraryIndex(self._index_path)
        except StoreError as error:
            raise LibraryError(f"The library {self._name} cannot be indexed: {error}") from error

    def _follow(self, index: LibraryIndex) -> Refreshed:
        known, seen, waiting = index.hashes(), set[str](), list[Document]()
        changed = skipped = 0
        for path, file in _files(self._folder):
            document = self._read(path, file, known.get(path))
            if document is None:
                skipped += 1
                continue
            seen.add(path)
            if document.hash != known.get(path):
                changed += 1
                waiting.append(document)
            if len(waiting) == _AT_ONCE:
                index.update(waiting)
                waiting.clear()
        removed = known.keys() - seen
        index.update(waiting, removed)
        return Refreshed(len(seen), changed, len(removed), skipped)

    def _read(self, path: str, file: Path, known_hash: str | None) -> Document | None:
        """A document, without its text when the index already has it; None when it is not read."""
        promised = suffix_type(path)
        try:
            if not promised or file.stat().st_size > MAX_FILE_BYTES:
                return None
            data = file.read_bytes()
        except OSError:
            return None
        digest = hashlib.sha256(data).hexdigest() + _READER_VERSION
        empty = Document(path, digest, "", "", promised)
        if digest == known_hash:
            return empty
        media_type = media_type_of(data, promised)
        try:
            found = extract(data, media_type, charset_of(data, "", media_type), self.url_of(path))
        except FetchError:
            return None
        return replace(empty, title=found.title, text=found.text, media_type=media_type)

    def url_of(self, path: str) -> str:
        """The URL of the document at `path`."""
        return self._base + quote(path)

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """The documents that share words with the query, best first. Raises LibraryError."""
        index = await self._ready()
        try:
            hits = await asyncio.to_thread(index.search, query, limit)
        except StoreError as error:
            raise LibraryError(f"The library {self._name} cannot be searched: {error}") from error
        return [SearchHit(self.url_of(h.path), h.title, h.snippet, self._name) for h in hits]

    async def fetch(self, url: str) -> Page:
        """The indexed text of one document; nothing outside the index can be named."""
        path = unquote(url.partition("#")[0].removeprefix(self._base))
        try:
            document = (await self._ready()).get(path)
        except (LibraryError, StoreError) as error:
            raise FetchError(str(error), url, "unreachable") from error
        if document is None:
            message = f"The library {self._name} has no document {path!r}: search it instead."
            raise FetchError(message, url, "status")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return Page(
            self.url_of(path), document.title, document.text, document.media_type, self._name, now
        )

    async def _ready(self) -> LibraryIndex:
        async with self._opening:
            if not self._looked:
                await asyncio.to_thread(self.refresh)
        assert self._index is not None
        return self._index

    def close(self) -> None:
        """Give the index file back."""
        if self._index is not None:
            self._index.close()
        self._index, self._looked = None, False


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path with `/`, file) of every visible file, in a fixed order."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(here) / name
            if not name.startswith(".") and file.is_file():
                yield file.relative_to(folder).as_posix(), file
