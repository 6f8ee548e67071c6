"""A library: documents of one source as a search engine and as pages to read."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, unquote

from edge_agent.errors import BadModelFile, FetchError, LibraryError, StoreError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.records import Document, Entry
from edge_agent.store.library.vectors import VectorTable
from edge_agent.tools.base import Page, SearchHit
from edge_agent.tools.embed import TextEmbedder
from edge_agent.tools.library.asked import Asked, asked
from edge_agent.tools.library.meaning import BATCH, Meanings
from edge_agent.tools.library.ranking import Ranking
from edge_agent.tools.library.source import Source, Told, silent
from edge_agent.tools.library.sync import Refreshed, follow
from edge_agent.tools.library.weights import WEIGHTS, Weights

SCHEME = "library://"
SNIPPET_CHARS = 400  # of a document that was found by its meaning alone: its beginning


class Library:
    """The documents of a source, indexed in `index_path`.

    A document's URL is the one it has of its own (a crawled page's, a JSON line's), else base_url
    and its path, else `library://NAME/path`; the last is always understood. The index follows the
    source by content: only what is new or changed is read again. `follow` says when: before the
    first search, as is right for a folder, or only when `refresh` is called. Errors reach clients
    over the network, so they name no path of this machine.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        index_path: Path,
        base_url: str = "",
        follow: bool = True,
        weights: Weights = WEIGHTS,
    ) -> None:
        self._name = name
        self._source = source
        self._index_path = index_path
        self._own = f"{SCHEME}{quote(name)}/"
        self._base = f"{base_url.rstrip('/')}/" if base_url else self._own
        self._index: LibraryIndex | None = None
        self._meanings: Meanings | None = None
        self._embedding: tuple[TextEmbedder, str] | None = None
        self._weights = weights
        self._looked = not follow
        self._opening = threading.Lock()
        self._refreshing = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_open(self) -> bool:
        """Whether it was searched or read, so that its index is there."""
        return self._looked and self._index is not None

    def embed_with(self, embedder: TextEmbedder, name: str) -> None:
        """Search by meaning too, with the vectors of this model; `name` tells it from others."""
        self._embedding = (embedder, name)

    def refresh(self, told: Told = silent) -> Refreshed:
        """Bring the index up to date. Raises LibraryError: no such source, or nothing to read."""
        try:
            refreshed = follow(self._opened(), self._source, told)
        except StoreError as error:
            raise LibraryError(f"The library {self._name} cannot be indexed: {error}") from error
        except LibraryError as error:
            raise LibraryError(f"The library {self._name} cannot be read. {error}") from error
        if not refreshed.documents:
            raise LibraryError(
                f"The library {self._name} is empty: its {self._source.kind} has no document with "
                "words in it."
            )
        self._looked = True
        return refreshed

    def fill(self, at_most: int = BATCH) -> int:
        """Make the vectors of the next few documents; how many, 0 when all have theirs.

        Raises LibraryError, and BadModelFile.
        """
        try:
            meanings = self._meant()
            return meanings.fill(at_most) if meanings else 0
        except StoreError as error:
            raise LibraryError(f"The library {self._name} cannot be indexed: {error}") from error

    def counts(self) -> tuple[int, int]:
        """(documents, documents without vectors). Raises StoreError."""
        index = self._opened()
        return len(index), VectorTable(index.database).n_waiting()

    def _opened(self) -> LibraryIndex:
        with self._opening:
            if self._index is None:
                self._index = LibraryIndex(self._index_path)
            return self._index

    def _meant(self) -> Meanings | None:
        index = self._opened()
        with self._opening:
            if self._meanings is None and self._embedding is not None:
                self._meanings = Meanings(VectorTable(index.database), *self._embedding)
            return self._meanings

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """The documents that the query is about, best first. Raises LibraryError."""
        await self._ready()
        try:
            return await asyncio.to_thread(self.find, query, limit)
        except (StoreError, BadModelFile) as error:
            raise LibraryError(f"The library {self._name} cannot be searched: {error}") from error

    def find(self, query: str, limit: int) -> list[SearchHit]:
        """`search` of the index as it is. Raises LibraryError, StoreError, BadModelFile."""
        index, question = self._opened(), asked(query)
        ids = Ranking(index, self._meant(), self._weights).find(question, limit)
        if not ids and not len(index):
            told = f"The library {self._name} is empty"
            raise LibraryError(f"{told}: edge-agent library sync {self._name} fills it.")
        entries, snippets = index.entries(ids), _snippets(index, ids, question)
        return [self._hit(entries[one], snippets[one]) for one in ids if one in entries]

    def _hit(self, entry: Entry, snippet: str) -> SearchHit:
        return SearchHit(entry.url or self.url_of(entry.path), entry.title, snippet, self._name)

    def url_of(self, path: str) -> str:
        """The URL of a document that has none of its own."""
        return self._base + quote(path)

    async def fetch(self, url: str) -> Page:
        """The indexed text of one document; nothing outside the index can be named."""
        try:
            await self._ready()
            document = await asyncio.to_thread(self._document, url.partition("#")[0])
        except (LibraryError, StoreError) as error:
            raise FetchError(str(error), url, "unreachable") from error
        if document is None:
            message = f"The library {self._name} has no document {url!r}: search it instead."
            raise FetchError(message, url, "status")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        found = document.url or self.url_of(document.path)
        return Page(found, document.title, document.text, document.media_type, self._name, now)

    async def holds(self, url: str) -> bool:
        """Whether a document was taken from this URL, so that it can be read here."""
        if not self._looked:  # no search has named anything yet
            return False
        try:
            return await asyncio.to_thread(self._opened().at, url.partition("#")[0]) is not None
        except StoreError:
            return False

    def _document(self, url: str) -> Document | None:
        index = self._opened()
        for base in (self._own, self._base):
            if url.startswith(base):
                found = index.get(unquote(url.removeprefix(base)))
                if found is not None:
                    return found
        return index.at(url)

    async def _ready(self) -> None:
        async with self._refreshing:
            if not self._looked:
                await asyncio.to_thread(self.refresh)

    def close(self) -> None:
        """Give the index file back."""
        with self._opening:
            if self._index is not None:
                self._index.close()
            self._index = self._meanings = None


def _snippets(index: LibraryIndex, ids: list[int], question: Asked) -> dict[int, str]:
    """What each document says about the question, else how it begins."""
    said = index.snippets(ids, question.match)
    begun = index.beginnings([one for one in ids if not said.get(one)], SNIPPET_CHARS)
    return {**{one: " ".join(text.split()) for one, text in begun.items()}, **said}
