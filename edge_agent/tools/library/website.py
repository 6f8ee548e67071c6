"""A website as a source of documents: crawled once, politely, within limits."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from edge_agent.errors import FetchError, LibraryError
from edge_agent.tools.canonical import canonical
from edge_agent.tools.library.source import Content, Ended, Item, Met, Told, Unread
from edge_agent.tools.read import markup
from edge_agent.tools.read.document import decoded
from edge_agent.tools.read.extract import extract
from edge_agent.tools.read.media import HTML_TYPES
from edge_agent.tools.web.body import Download
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.target import target_of

_READER_VERSION = "2"
_GONE = (" 404 (", " 410 (")
_FOR_GOOD = frozenset({"refused", "unsupported", "empty", "too_large", "invalid"})


@dataclass(frozen=True, slots=True)
class CrawlLimits:
    """Pages at most, links from the first page at most, seconds at most, seconds between two
    requests at least; a site's robots.txt may ask for more between them."""

    pages: int = 500
    depth: int = 10
    seconds: float = 3600.0
    apart_s: float = 0.5


class Website:
    """The pages that links lead to from `start`, on its host and below its folder.

    robots.txt is honoured by the web client. A page's URL is its own.
    """

    kind = "website"

    def __init__(
        self, start: str, open_web: Callable[[], WebClient], limits: CrawlLimits | None = None
    ) -> None:
        self._start = start
        self._open_web = open_web
        self._limits = limits or CrawlLimits()

    @property
    def location(self) -> str:
        return self._start

    def items(self, told: Told) -> Iterator[Met]:
        """As they are met, nearest to the start first. Raises LibraryError: nobody is there."""
        loop = asyncio.new_event_loop()
        walk = self._walk(told)
        try:
            while True:
                try:
                    yield loop.run_until_complete(walk.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(walk.aclose())
            loop.close()

    async def _walk(self, told: Told) -> AsyncGenerator[Met, None]:
        async with self._open_web() as web:
            crawl = _Crawl(web, self._start, self._limits, await self._apart(web))
            async for met in crawl.pages(told):
                yield met

    async def _apart(self, web: WebClient) -> float:
        try:
            rules = await web.robots.rules(target_of(self._start))
        except FetchError as error:
            raise LibraryError(str(error)) from None
        return max(self._limits.apart_s, rules.delay_s)


class _Crawl:
    """One walk over a site."""

    def __init__(self, web: WebClient, start: str, limits: CrawlLimits, apart_s: float) -> None:
        self._web = web
        self._limits = limits
        self._apart_s = apart_s
        self._start = start
        self._scope = _scope(start)
        self._met = {canonical(start)}
        self._waiting = deque([(start, 0)])
        self._end = time.monotonic() + limits.seconds
        self._failed = 0

    async def pages(self, told: Told) -> AsyncGenerator[Met, None]:
        done = 0
        while self._waiting and done < self._limits.pages and time.monotonic() < self._end:
            url, depth = self._waiting.popleft()
            if done:
                await asyncio.sleep(self._apart_s)
            met = await self._visit(url, depth)
            done += isinstance(met, Item)
            told(done, min(self._limits.pages, done + len(self._waiting)))
            yield met
        if self._waiting:
            yield Ended(f"the limits ended it with {len(self._waiting)} links not followed")
        elif self._failed:
            yield Ended(f"{self._failed} pages could not be read now, nor what they link to")

    async def _visit(self, url: str, depth: int) -> Item | Unread:
        try:
            got = await self._web.get(url)
        except FetchError as error:
            return self._failure(url, error)
        if not _within(got.url, self._scope):
            return Unread(_path(url), f"it leads to {got.url}, which is not of this site")
        self._met.add(canonical(got.url))
        if depth < self._limits.depth:
            self._follow(got, depth + 1)
        digest = hashlib.sha256(got.data).hexdigest() + _READER_VERSION
        return Item(_path(got.url), digest, functools.partial(_content, got))

    def _failure(self, url: str, error: FetchError) -> Unread:
        if url == self._start:
            raise LibraryError(str(error))
        for_good = error.kind in _FOR_GOOD or any(gone in str(error) for gone in _GONE)
        self._failed += not for_good
        return Unread(_path(url), str(error), kept=not for_good)

    def _follow(self, got: Download, depth: int) -> None:
        for url in _links(got):
            key = canonical(url)
            if key not in self._met and _within(url, self._scope):
                self._met.add(key)
                self._waiting.append((url, depth))


def _content(got: Download) -> Content:
    found = extract(got.data, got.media_type, got.charset, got.url)
    return Content(found.title, found.text, got.media_type, got.url)


def _links(got: Download) -> Iterator[str]:
    """Where a page leads, in its order; what asks not to be followed is left out."""
    tree = markup.parse(decoded(got.data, got.charset)) if got.media_type in HTML_TYPES else None
    for link in [] if tree is None else tree.iter("a"):
        try:
            url = urljoin(got.url, (link.get("href") or "").strip())
            good = urlsplit(url).scheme in ("http", "https")
        except ValueError:  # brackets that are no IPv6 address
            continue
        if good and "nofollow" not in (link.get("rel") or "").lower():
            yield url.partition("#")[0]


def _scope(start: str) -> tuple[str, str]:
    """The host, and the folder that the start is in."""
    parts = urlsplit(canonical(start))
    folder = urlsplit(start).path.rpartition("/")[0]
    return parts.netloc, folder + "/"


def _within(url: str, scope: tuple[str, str]) -> bool:
    try:
        parts = urlsplit(canonical(url))
    except ValueError:
        return False
    return parts.netloc == scope[0] and f"{parts.path}/".startswith(scope[1])


def _path(url: str) -> str:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.path.lstrip('/')}{query}" or "index"
