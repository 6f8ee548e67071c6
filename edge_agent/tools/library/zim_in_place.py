"""A ZIM file searched by the index that it brings along, for those too large to be copied."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from edge_agent.errors import FetchError, LibraryError
from edge_agent.store.library.match import words_of
from edge_agent.store.library.names import name_of
from edge_agent.tools.base import Page, SearchHit
from edge_agent.tools.embed import TextEmbedder
from edge_agent.tools.library.asked import Asked, asked
from edge_agent.tools.library.library import SCHEME
from edge_agent.tools.library.links import LEAD_CHARS, runs_in
from edge_agent.tools.library.ranking import fused
from edge_agent.tools.library.source import Content, Told, silent
from edge_agent.tools.library.sync import Refreshed
from edge_agent.tools.library.weights import WEIGHTS, Weights
from edge_agent.tools.library.zim import content_of, libzim, opened

MAX_WORDS = 8  # of a question: each is counted in the file's index
MAX_NAMES = 12
ENOUGH = 20  # documents that share words with the question
SNIPPET_CHARS = 400
LEAD_BYTES = 60_000  # of an article's HTML, where its lead and a snippet are looked for


class ZimInPlace:
    """The articles of one ZIM file with a full-text index, such as Kiwix makes them.

    libzim's search wants all words of a query to be there, so a question is asked with ever fewer
    of its words, the most common left out first. Titles that it names and that the best pages name
    are looked up. There are no embeddings.
    """

    def __init__(
        self, name: str, file: Path, base_url: str = "", weights: Weights = WEIGHTS
    ) -> None:
        self._name = name
        self._file = file
        self._own = f"{SCHEME}{quote(name)}/"
        self._base = f"{base_url.rstrip('/')}/" if base_url else self._own
        self._weights = weights
        self._archive: Any = None
        self._turn = threading.Lock()  # libzim's objects are used by one thread at a time

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_open(self) -> bool:
        return False  # nothing is to be filled in behind

    def embed_with(self, embedder: TextEmbedder, name: str) -> None:
        """It has no embeddings."""

    def refresh(self, told: Told = silent) -> Refreshed:
        """There is nothing to take in. Raises LibraryError: no such file, or one without index."""
        with self._turn:
            archive = self._opened()
            if not archive.has_fulltext_index:
                raise LibraryError(
                    f"The library {self._name} has no index of its own: remove it and add it "
                    "without --in-place."
                )
            return Refreshed(archive.article_count, 0, 0, 0)

    def fill(self, at_most: int = 0) -> int:
        """It has no embeddings."""
        return 0

    def counts(self) -> tuple[int, int]:
        """(articles, 0): none waits for an embedding. A file that is not there has no articles."""
        with self._turn:
            try:
                return self._opened().article_count, 0
            except LibraryError:
                return 0, 0

    def _opened(self) -> Any:
        if self._archive is None:
            try:
                self._archive = opened(self._file)
            except LibraryError as error:
                told = f"The library {self._name} cannot be read."
                raise LibraryError(f"{told} {error}") from None
        return self._archive

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """The articles that the query is about, best first. Raises LibraryError."""
        return await asyncio.to_thread(self.find, query, limit)

    def find(self, query: str, limit: int) -> list[SearchHit]:
        """The same, at once."""
        question = asked(query)
        with self._turn:
            archive = self._opened()
            try:
                paths = self._ranked(archive, question)[:limit]
                return [self._hit(archive, path, question) for path in paths]
            except RuntimeError as error:
                told = f"The library {self._name} cannot be searched ({error})."
                raise LibraryError(told) from None

    def _ranked(self, archive: Any, question: Asked) -> list[str]:
        weights = self._weights
        rankings = [
            (weights.words, list(self._said(archive, question.words))),
            (weights.named, list(self._titled(archive, question))),
        ]
        best = fused(rankings, weights)[: weights.sources]
        next_to = dict.fromkeys(p for path in best for p in _named_by(archive, path))
        return fused([*rankings, (weights.linked, [p for p in next_to if p not in best])], weights)

    def _said(self, archive: Any, words: Sequence[str]) -> Iterator[str]:
        """Articles with all of the words, then with all but the most common one, and so on."""
        searcher = libzim("search").Searcher(archive)
        counts = {word: _asked_for(searcher, [word]).getEstimatedMatches() for word in words}
        rare = sorted((word for word in words if counts[word]), key=counts.__getitem__)[:MAX_WORDS]
        met: set[str] = set()
        for n in range(len(rare), 0, -1):
            for path in _asked_for(searcher, rare[:n]).getResults(0, ENOUGH):
                if path not in met:
                    met.add(path)
                    yield path
            if len(met) >= ENOUGH:
                return

    def _titled(self, archive: Any, question: Asked) -> Iterator[str]:
        """Articles whose titles the question says."""
        phrases = {" ".join(phrase) for phrase in question.phrases}
        names = [n for n in question.names if n in phrases or " " not in n][:MAX_NAMES]
        suggester = libzim("suggestion").SuggestionSearcher(archive)
        for name in names:
            for path in suggester.suggest(name).getResults(0, 3):
                if name_of(archive.get_entry_by_path(path).title) == name:
                    yield _item_of(archive.get_entry_by_path(path)).path

    def _hit(self, archive: Any, path: str, question: Asked) -> SearchHit:
        entry = archive.get_entry_by_path(path)
        snippet = _snippet(_lead(entry), frozenset(question.words))
        return SearchHit(self._base + quote(path), entry.title, snippet, self._name)

    async def fetch(self, url: str) -> Page:
        """One article; nothing else can be named. Raises FetchError."""
        path = unquote(url.partition("#")[0])
        for base in (self._own, self._base):
            path = path.removeprefix(unquote(base))
        try:
            content = await asyncio.to_thread(self._content, path)
        except LibraryError as error:
            raise FetchError(str(error), url, "unreachable") from error
        if content is None:
            message = f"The library {self._name} has no document {url!r}: search it instead."
            raise FetchError(message, url, "status")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        found = self._base + quote(path)
        return Page(found, content.title, content.text, content.media_type, self._name, now)

    def _content(self, path: str) -> Content | None:
        with self._turn:
            archive = self._opened()
            if not archive.has_entry_by_path(path):
                return None
            return content_of(_item_of(archive.get_entry_by_path(path)))

    async def holds(self, url: str) -> bool:
        """Its articles are known by the library's addresses alone."""
        return False

    def close(self) -> None:
        """Give the file back."""
        self._archive = None


def _asked_for(searcher: Any, words: Sequence[str]) -> Any:
    return searcher.search(libzim("search").Query().set_query(" ".join(words)))


def _item_of(entry: Any) -> Any:
    return (entry.get_redirect_entry() if entry.is_redirect else entry).get_item()


def _lead(entry: Any) -> str:
    """The beginning of an article as text; "" when it cannot be read."""
    try:
        return content_of(_item_of(entry), LEAD_BYTES).text
    except FetchError:
        return ""


def _named_by(archive: Any, path: str) -> Iterator[str]:
    """Articles whose titles stand in the lead of this one."""
    lead = _lead(archive.get_entry_by_path(path))[:LEAD_CHARS]
    for run in dict.fromkeys(" ".join(tokens).rstrip(".") for tokens in runs_in(lead)):
        if archive.has_entry_by_title(run):
            yield _item_of(archive.get_entry_by_title(run)).path


def _snippet(text: str, words: frozenset[str]) -> str:
    """The paragraph that shares most words with the question, the first of equals."""
    paragraphs = [part for part in text.split("\n") if len(part.split()) > 4] or [text]
    best = max(paragraphs, key=lambda part: len(words & set(words_of(part))))
    return " ".join(best.split())[:SNIPPET_CHARS]
