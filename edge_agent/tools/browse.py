"""From a URL to a page: out of this run's pages, a library, or the web."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timezone

from edge_agent.errors import FetchError
from edge_agent.store.pages import PageStore
from edge_agent.tools.base import Fetcher, Page
from edge_agent.tools.extract import extract
from edge_agent.tools.library import SCHEME
from edge_agent.tools.stored import keep, page_of
from edge_agent.tools.web import WebClient

EXTRACT_S = 90.0  # how long a document may take to become text


class Browser:
    """Reads URLs for one run and keeps every page in the store, so that it can be quoted.

    `library://NAME/path` is read from the library of that name. A URL without a scheme is taken
    as https, or as http when a person named its host. A page read once in this run is not read
    again.
    """

    def __init__(
        self, web: WebClient, pages: PageStore, libraries: Mapping[str, Fetcher] | None = None
    ) -> None:
        self._web = web
        self._pages = pages
        self._libraries = dict(libraries or {})
        self._read: dict[str, str] = {}  # url as asked or as found -> page id

    async def fetch(self, url: str) -> Page:
        """The page at `url`. Raises FetchError, and StoreError when the disk fails."""
        address = self._address(url)
        if (page_id := self._read.get(address)) is not None:
            return self._kept(page_id)
        page = await self._fetcher(address).fetch(address)
        return self._keep(address, page)

    def _address(self, url: str) -> str:
        tidy = url.strip().strip("<>\"'`").strip().partition("#")[0]
        if "://" in tidy:
            return tidy
        host = tidy.partition("/")[0]
        if any(char.isspace() for char in tidy) or not ("." in host or ":" in host):
            message = f"{url!r} is not a URL: give one from the search results."
            raise FetchError(message, url, "invalid")
        return f"http://{tidy}" if self._web.allows(f"http://{tidy}") else f"https://{tidy}"

    def _fetcher(self, address: str) -> Fetcher:
        if not address.startswith(SCHEME):
            return _WebPages(self._web)
        name = address.removeprefix(SCHEME).partition("/")[0]
        if name not in self._libraries:
            known = ", ".join(sorted(self._libraries)) or "none"
            message = f"There is no library {name!r}; there is: {known}."
            raise FetchError(message, address, "invalid")
        return self._libraries[name]

    def _keep(self, address: str, page: Page) -> Page:
        page_id = keep(self._pages, page)
        self._read[address] = self._read[page.url] = page_id
        return self._kept(page_id)

    def _kept(self, page_id: str) -> Page:
        return page_of(self._pages.get(page_id))


class _WebPages:
    """The web client and the extractor as one Fetcher."""

    def __init__(self, web: WebClient) -> None:
        self._web = web

    async def fetch(self, url: str) -> Page:
        got = await self._web.get(url)
        work = asyncio.to_thread(extract, got.data, got.media_type, got.charset, got.url)
        try:
            found = await asyncio.wait_for(work, EXTRACT_S)
        except asyncio.TimeoutError:
            message = f"{url} took more than {EXTRACT_S:g} seconds to turn into text."
            raise FetchError(message, url, "timeout") from None
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return Page(got.url, found.title, found.text, got.media_type, "web", now)
