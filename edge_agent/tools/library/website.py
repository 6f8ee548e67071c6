"""A website as a source of documents: crawled once, politely, within limits."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from urllib.parse import urljoin, urlsplit

from edge_agent.errors import FetchError, LibraryError
from edge_agent.store.library.records import Known
from edge_agent.tools.canonical import canonical
from edge_agent.tools.library.source import Content, Ended, Item, Met, Told, Unread
from edge_agent.tools.read import markup
from edge_agent.tools.read.apart import LARGE_BYTES, extract_here
from edge_agent.tools.read.document import decoded
from edge_agent.tools.read.extract import fingerprint, version_of
from edge_agent.tools.read.media import HTML_TYPES
from edge_agent.tools.web.body import Download
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.freshness import Validators
from edge_agent.tools.web.target import target_of

MAX_LINKS = 10_000  # of a page that are followed
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


@dataclass(frozen=True, slots=True)
class Memo:
    """A page as it was met last: the address that was asked for, where it was found, what its
    server knows this version by, what it was read by, and where it leads on this site."""

    asked: str
    url: str
    etag: str
    modified: str
    media_type: str
    reader: str
    links: tuple[str, ...]

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of(cls, text: str) -> Memo | None:
        """None for a page that has to be read whole: nothing is known, or its reader is another."""
        try:
            told = json.loads(text)
            memo = cls(**{**told, "links": tuple(told["links"])})
        except (ValueError, TypeError, KeyError):
            return None
        return memo if memo.reader == version_of(memo.media_type) else None

    @property
    def validators(self) -> Validators:
        return Validators(self.url, self.etag, self.modified)


class Website:
    """The pages that links lead to from `start`, on its host and below its folder.

    robots.txt is honoured by the web client. A page's URL is its own. A page that is known is asked
    for with the tag and the date its server gave it, and is not sent again when it has not changed.
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

    def items(self, told: Told, known: Mapping[str, Known]) -> Iterator[Met]:
        """As they are met, nearest to the start first. Raises LibraryError: nobody is there."""
        loop = asyncio.new_event_loop()
        walk = self._walk(told, known)
        try:
            while True:
                try:
                    yield loop.run_until_complete(walk.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(walk.aclose())
            loop.close()

    async def _walk(self, told: Told, known: Mapping[str, Known]) -> AsyncGenerator[Met, None]:
        async with self._open_web() as web:
            crawl = _Crawl(web, self._start, self._limits, await self._apart(web), known)
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

    def __init__(
        self,
        web: WebClient,
        start: str,
        limits: CrawlLimits,
        apart_s: float,
        known: Mapping[str, Known],
    ) -> None:
        self._web = web
        self._limits = limits
        self._apart_s = apart_s
        self._start = start
        self._scope = _scope(start)
        self._met = {canonical(start)}
        self._waiting = deque([(start, 0)])
        self._end = time.monotonic() + limits.seconds
        self._failed = 0
        self._known: dict[str, tuple[str, Known, Memo]] = {}
        for path, one in known.items():
            if memo := Memo.of(one.memo):
                self._known[memo.asked] = (path, one, memo)

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
        path, known, memo = self._known.get(url, ("", None, None))
        try:
            got = await self._web.get(url, memo.validators if memo else None)
        except FetchError as error:
            return self._failure(url, error)
        if not _within(got.url, self._scope):
            return Unread(_path(url), f"it leads to {got.url}, which is not of this site")
        self._met.add(canonical(got.url))
        if got.unchanged and known and memo:
            self._follow(memo.links, depth + 1)
            return Item(path, known.hash, functools.partial(_content, got), known.memo)
        links = tuple(islice((one for one in _links(got) if _within(one, self._scope)), MAX_LINKS))
        self._follow(links, depth + 1)
        memo = _memo(url, got, links)
        digest = fingerprint(got.data, got.media_type)
        return Item(_path(got.url), digest, functools.partial(_content, got), memo.as_json())

    def _failure(self, url: str, error: FetchError) -> Unread:
        if url == self._start:
            raise LibraryError(str(error))
        for_good = error.kind in _FOR_GOOD or any(gone in str(error) for gone in _GONE)
        self._failed += not for_good
        return Unread(_path(url), str(error), kept=not for_good)

    def _follow(self, links: Sequence[str], depth: int) -> None:
        for url in links if depth <= self._limits.depth else ():
            key = canonical(url)
            if key not in self._met:
                self._met.add(key)
                self._waiting.append((url, depth))


def _memo(asked: str, got: Download, links: tuple[str, ...]) -> Memo:
    known = got.validators
    reader = version_of(got.media_type)
    return Memo(asked, got.url, known.etag, known.modified, got.media_type, reader, links)


def _content(got: Download) -> Content:
    found = extract_here(got.data, got.media_type, got.charset, got.url)
    return Content(found.title, found.text, got.media_type, got.url)


def _links(got: Download) -> Iterator[str]:
    """Where the beginning of a page leads, in its order, without what asks not to be followed."""
    begun = decoded(got.data[:LARGE_BYTES], got.charset)
    tree = markup.parse(begun) if got.media_type in HTML_TYPES else None
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
