"""Pages of the web: fetched or found unchanged, turned into text, and kept for the next visit."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from edge_agent.errors import FetchError
from edge_agent.store.visits import Visit, VisitStore
from edge_agent.tools.base import Link, Page
from edge_agent.tools.read.apart import extract_in_time
from edge_agent.tools.read.document import Extracted
from edge_agent.tools.read.extract import version_of
from edge_agent.tools.web.body import Download
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.freshness import NOTHING_KNOWN, Validators
from edge_agent.tools.web.rendering import Renderer

AT_ONCE = 4  # documents that become text side by side
MAX_MOVES = 2  # pages that send their reader on, in a row
SOURCE = "web"


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a page that says hardly a word sends its reader."""

    url: str


class WebPages:
    """Reads web pages.

    With `visits` a page is used again as long as its server calls it good, and after that asked
    for with the tag and date the server knows it by. With a `renderer` pages that are made by
    scripts are read as they look then; without one the text says what is missing.
    """

    def __init__(
        self, web: WebClient, visits: VisitStore | None = None, renderer: Renderer | None = None
    ) -> None:
        self._web = web
        self._visits = visits
        self._renderer = renderer
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> Page:
        """The page at `url`. Raises FetchError, and StoreError when the disk fails."""
        asked = url
        for _ in range(MAX_MOVES + 1):
            read = await self._visited(url)
            if isinstance(read, Page):
                return read
            url = read.url
        message = f"{asked} sends its readers on more than {MAX_MOVES} times: try another."
        raise FetchError(message, asked, "unreachable")

    async def _visited(self, url: str) -> Page | Moved:
        self._web.check(url)
        visit = self._last(url)
        if visit is not None and visit.good_until > time.time():
            return _page(visit)
        known = _known(visit)
        return await self._web.read(url, lambda got: self._taken(url, got, visit), known)

    def _last(self, url: str) -> Visit | None:
        visit = None if self._visits is None else self._visits.get(url)
        return visit if visit and visit.reader == version_of(visit.media_type) else None

    async def _taken(self, url: str, got: Download, visit: Visit | None) -> Page | Moved:
        if got.unchanged and visit is not None:
            visit = _again(visit, got)
            self._keep(visit, got)
            return _page(visit)
        found = await self._extracted(got)
        if found.moved:
            return Moved(found.moved)
        if found.scripted:
            found = await self._with_scripts(got, found)
        visit = _visit(url, got, found)
        if not found.scripted:
            self._keep(visit, got)
        return _page(visit)

    async def _extracted(self, got: Download) -> Extracted:
        async with self._turns:
            return await extract_in_time(got.data, got.media_type, got.charset, got.url)

    async def _with_scripts(self, got: Download, bare: Extracted) -> Extracted:
        """What its scripts make of a page, or what it is without them and why."""
        if self._renderer is None:
            return _unrendered(bare, got.url, "install edge-agent[render] to have them run")
        try:
            html = await self._renderer.rendered(got.url)
            data = html.encode("utf-8", "replace")
            return await extract_in_time(data, "text/html", "utf-8", got.url)
        except FetchError as error:
            return _unrendered(bare, got.url, f"running them failed: {error}")

    def _keep(self, visit: Visit, got: Download) -> None:
        if self._visits is None:
            return
        if got.fresh_s is None:
            self._visits.forget(visit.asked)
        else:
            self._visits.put(visit)


def _unrendered(bare: Extracted, url: str, why: str) -> Extracted:
    """Raises FetchError when without scripts nothing is left."""
    if not bare.text.strip():
        raise FetchError(f"{url} shows nothing without its scripts; {why}.", url, "empty")
    text = f"{bare.text}\n\n(This page is made by scripts, which were not run; {why}.)"
    return Extracted(bare.title, text, bare.links, scripted=True)


def _known(visit: Visit | None) -> Validators:
    return NOTHING_KNOWN if visit is None else Validators(visit.url, visit.etag, visit.modified)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _visit(asked: str, got: Download, found: Extracted) -> Visit:
    now = time.time()
    return Visit(
        asked=asked,
        reader=version_of(got.media_type),
        url=got.url,
        title=found.title,
        text=found.text,
        links=json.dumps([[link.url, link.text] for link in found.links], ensure_ascii=False),
        media_type=got.media_type,
        fetched_at=_now(),
        good_until=now + (got.fresh_s or 0.0),
        etag=got.validators.etag,
        modified=got.validators.modified,
        used_at=now,
    )


def _again(visit: Visit, got: Download) -> Visit:
    """The same page, seen to be the same now."""
    now = time.time()
    return replace(visit, fetched_at=_now(), good_until=now + (got.fresh_s or 0.0), used_at=now)


def _page(visit: Visit) -> Page:
    links = tuple(Link(url, text) for url, text in json.loads(visit.links))
    return Page(
        visit.url, visit.title, visit.text, visit.media_type, SOURCE, visit.fetched_at, links
    )
