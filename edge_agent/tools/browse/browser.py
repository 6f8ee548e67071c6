"""From a URL to a page: out of this run's pages, a library, or the web."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge_agent.errors import FetchError
from edge_agent.store.pages import PageStore
from edge_agent.store.visits import VisitStore
from edge_agent.tools.base import Fetcher, Holder, Page
from edge_agent.tools.browse.paging import one_page, split_number
from edge_agent.tools.browse.web_pages import WebPages
from edge_agent.tools.library.library import SCHEME
from edge_agent.tools.stored import keep, page_of
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.rendering import Renderer


class Browser:
    """Reads URLs for one run and keeps every page in the store, so that it can be quoted.

    `library://NAME/path` is read from the library of that name, and so is a page of the web that a
    library took in. A URL without a scheme is taken
    as https, or as http when a person named its host. A fragment `#page=N` is the Nth page of a
    long document, on its own. A page read once in this run is not read again.
    """

    def __init__(
        self,
        web: WebClient,
        pages: PageStore,
        libraries: Mapping[str, Holder] | None = None,
        visits: VisitStore | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self._web = web
        self._pages = pages
        self._web_pages = WebPages(web, visits, renderer)
        self._libraries = dict(libraries or {})
        self._read: dict[str, Page] = {}  # url as asked or as found -> what it says

    async def fetch(self, url: str) -> Page:
        """The page at `url`. Raises FetchError, and StoreError when the disk fails."""
        tidy, number = split_number(url.strip().strip("<>\"'`").strip())
        address = self._address(tidy, url)
        page = self._read.get(address) or await self._fetched(address)
        return page if number is None else self._keep("", one_page(page, number))

    def _address(self, tidy: str, url: str) -> str:
        if "://" in tidy:
            return tidy
        host = tidy.partition("/")[0]
        if any(char.isspace() for char in tidy) or not ("." in host or ":" in host):
            message = f"{url!r} is not a URL: give one from the search results."
            raise FetchError(message, url, "invalid")
        return f"http://{tidy}" if self._web.allows(f"http://{tidy}") else f"https://{tidy}"

    async def _fetched(self, address: str) -> Page:
        fetcher = await self._fetcher(address)
        return self._keep(address, await fetcher.fetch(address))

    async def _fetcher(self, address: str) -> Fetcher:
        if not address.startswith(SCHEME):
            holders = [each for each in self._libraries.values() if await each.holds(address)]
            return holders[0] if holders else self._web_pages
        name = address.removeprefix(SCHEME).partition("/")[0]
        if name not in self._libraries:
            known = ", ".join(sorted(self._libraries)) or "none"
            message = f"There is no library {name!r}; there is: {known}."
            raise FetchError(message, address, "invalid")
        return self._libraries[name]

    def _keep(self, address: str, page: Page) -> Page:
        """The page as the store has it, so that what is quoted of it is found there."""
        kept = page_of(self._pages.get(keep(self._pages, page)))
        kept = replace(kept, links=page.links, more=page.more)
        if address:
            self._read[address] = self._read[page.url] = kept
        return kept
