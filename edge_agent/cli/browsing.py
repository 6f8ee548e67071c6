"""The way to the web that the settings describe: what may be reached, kept and rendered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from edge_agent.config import Settings
from edge_agent.store.pages import PageStore
from edge_agent.store.visits import VisitStore, open_visits
from edge_agent.tools.base import Holder
from edge_agent.tools.browse.browser import Browser
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.rendering import Renderer, open_renderer

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Browsing:
    """The web client of a house, what it has read before, and who runs a page's scripts."""

    web: WebClient
    visits: VisitStore | None
    renderer: Renderer | None

    def browser(self, pages: PageStore, libraries: Mapping[str, Holder]) -> Browser:
        """The fetcher of one run."""
        return Browser(self.web, pages, libraries, self.visits, self.renderer)


def web_client(settings: Settings, allow_hosts: Iterable[str] = ()) -> WebClient:
    """A client by the settings' rules. Raises ConfigError."""
    return WebClient(
        (*settings.allow_hosts, *allow_hosts),
        mode=settings.egress,
        listed=settings.egress_hosts,
        robots_off=settings.robots_off,
    )


@asynccontextmanager
async def open_browsing(
    settings: Settings, allow_hosts: Iterable[str] = ()
) -> AsyncIterator[Browsing]:
    """The browsing while the block runs. Raises ConfigError and StoreError."""
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(web_client(settings, allow_hosts))
        visits = None
        if settings.page_cache:
            database = open_visits(settings.cache_dir / "visits.sqlite")
            stack.callback(database.close)
            visits = VisitStore(database, settings.page_cache * MIB)
        renderer = None
        if settings.render:
            chromium = None if settings.chromium is None else str(settings.chromium)
            renderer = await stack.enter_async_context(open_renderer(web, chromium))
        yield Browsing(web, visits, renderer)
