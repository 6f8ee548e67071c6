"""The search engines that the settings name, as one chain."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from edge_agent.cli.reach import Reach
from edge_agent.config import Settings
from edge_agent.errors import ConfigError, NotFound
from edge_agent.store.search_cache import SearchCache
from edge_agent.tools.base import SearchProvider
from edge_agent.tools.search.arxiv import ARXIV_APART_S, ARXIV_URL, ArxivSearch
from edge_agent.tools.search.chain import SearchChain, Together
from edge_agent.tools.search.endpoint import ApiClient, is_here
from edge_agent.tools.search.keyed import (
    BRAVE_KEY,
    BRAVE_URL,
    SERPER_KEY,
    SERPER_URL,
    TAVILY_KEY,
    TAVILY_URL,
    BraveSearch,
    SerperSearch,
    TavilySearch,
)
from edge_agent.tools.search.metasearch import DdgsSearch
from edge_agent.tools.search.remote import Manners, Remote
from edge_agent.tools.search.searxng import SearxngSearch
from edge_agent.tools.search.wikipedia import WIKIPEDIA_URL, WikipediaSearch
from edge_agent.tools.web.egress import HostList

KEYS = {"brave": BRAVE_KEY, "serper": SERPER_KEY, "tavily": TAVILY_KEY}
ENGINES = ("library", "searxng", *KEYS, "ddgs", "wikipedia", "arxiv")
DDGS = "ddgs/"
OFFLINE, LISTED = "offline", "allow-list"
BRAVE_APART_S = 1.0  # one query a second is what the smallest plan takes


@dataclass(frozen=True, slots=True)
class Engines:
    """Every engine that can be asked, by name, and those that are, in order."""

    libraries: tuple[SearchProvider, ...]
    remote: Mapping[str, tuple[SearchProvider, ...]]
    order: tuple[str, ...]
    answers: int

    def chain(self, library: str | None = None, provider: str | None = None) -> SearchChain:
        """What a run asks: one library or one engine when it names one, else all in order.

        Raises NotFound.
        """
        if library is not None:
            return SearchChain(self._library(library))
        if provider is not None:
            return SearchChain(self._named(provider))
        asked = [each for name in self.order for each in self._of(name)]
        return SearchChain(asked, self.answers)

    def _library(self, name: str) -> list[SearchProvider]:
        found = [each for each in self.libraries if each.name == name]
        if not found:
            known = ", ".join(sorted(each.name for each in self.libraries)) or "none"
            raise NotFound(f"There is no library {name!r} here; there is: {known}.")
        return found

    def _named(self, name: str) -> Sequence[SearchProvider | Together]:
        if name in ENGINES:
            found = self._of(name)
            if not found:
                raise NotFound(f"No {name} is configured here.")
            return found
        every = [*self.libraries, *(one for some in self.remote.values() for one in some)]
        found = [each for each in every if each.name == name]
        if not found:
            known = ", ".join(dict.fromkeys([*self.remote, *(each.name for each in every)]))
            raise NotFound(f"There is no search engine {name!r} here; there is: {known or 'none'}.")
        return found

    def _of(self, name: str) -> Sequence[SearchProvider | Together]:
        if name == "library":
            return [Together(self.libraries)] if self.libraries else []
        return self.remote.get(name, ())


@asynccontextmanager
async def open_engines(
    settings: Settings, reach: Reach, provider: str | None = None
) -> AsyncIterator[Engines]:
    """The engines while the block runs, `provider` among them. Raises ConfigError, StoreError."""
    order = _order(settings, reach)
    wanted = dict.fromkeys([*order, *([provider] if provider else [])])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            ApiClient(
                settings.search_timeout,
                offline=settings.egress == OFFLINE,
                only=_listed(settings, reach) if settings.egress == LISTED else None,
            )
        )
        cache = SearchCache(settings.cache_dir / "search.sqlite")
        stack.callback(cache.close)
        shop = _Shop(settings, reach, client, cache)
        remote = {name: shop.made(name) for name in wanted if name in ENGINES or DDGS in name}
        libraries = tuple(reach.libraries.values())
        yield Engines(libraries, remote, order, settings.search_answers)


def _order(settings: Settings, reach: Reach) -> tuple[str, ...]:
    """What was configured; unset, what a person named, and else what needs no naming."""
    if settings.search_order:
        for name in settings.search_order:
            if name not in ENGINES and not name.startswith(DDGS):
                known = ", ".join(ENGINES)
                raise ConfigError(f"Setting search_order: {name!r} is no engine: use {known}.")
        return settings.search_order
    if reach.libraries or reach.search_urls:
        return ("library", "searxng")
    if not reach.web_search or settings.egress == OFFLINE:
        return ()
    keyed = [name for name, variable in KEYS.items() if os.environ.get(variable)]
    return (*keyed, *(["ddgs"] if settings.egress != LISTED else []), "wikipedia")


def _listed(settings: Settings, reach: Reach) -> HostList:
    """The hosts that a person named, in whatever way."""
    return HostList((*settings.egress_hosts, *settings.allow_hosts, *reach.allow_hosts))


class _Shop:
    """Makes engines out of the settings."""

    def __init__(
        self,
        settings: Settings,
        reach: Reach,
        client: ApiClient,
        cache: SearchCache,
    ) -> None:
        self._settings = settings
        self._reach = reach
        self._client = client
        self._cache = cache

    def made(self, name: str) -> tuple[SearchProvider, ...]:
        if name.startswith(DDGS):
            return (self._ddgs(name.removeprefix(DDGS)),)
        makers: dict[str, Callable[[], tuple[SearchProvider, ...]]] = {
            "library": tuple,
            "searxng": self._searxng,
            "brave": lambda: (self._brave(),),
            "serper": lambda: (self._serper(),),
            "tavily": lambda: (self._tavily(),),
            "ddgs": lambda: tuple(map(self._ddgs, self._settings.ddgs_engines)),
            "wikipedia": lambda: (self._wikipedia(),),
            "arxiv": lambda: (self._arxiv(),),
        }
        return makers[name]()

    def _remote(self, provider: SearchProvider, url: str, apart_s: float = 0.0) -> Remote:
        """An engine on this machine is asked each time: that is cheap, and what it has changes."""
        settings = self._settings
        keep_s = 0.0 if is_here(url) else settings.search_cache_hours * 3600
        manners = Manners(settings.search_timeout, keep_s=keep_s, apart_s=apart_s)
        return Remote(provider, self._cache, manners, address=url)

    def _at(self, name: str, usual: str) -> str:
        return self._settings.search_addresses.get(name, usual)

    def _key(self, name: str) -> str:
        key = os.environ.get(KEYS[name], "").strip()
        if not key:
            raise ConfigError(f"The search engine {name} needs its key in {KEYS[name]}.")
        return key

    def _searxng(self) -> tuple[SearchProvider, ...]:
        urls = self._reach.search_urls
        names = ["searxng"] if len(urls) == 1 else [f"searxng {url}" for url in urls]
        return tuple(
            self._remote(SearxngSearch(self._client, url, name), url)
            for url, name in zip(urls, names, strict=True)
        )

    def _brave(self) -> SearchProvider:
        url = self._at("brave", BRAVE_URL)
        return self._remote(BraveSearch(self._client, self._key("brave"), url), url, BRAVE_APART_S)

    def _serper(self) -> SearchProvider:
        url = self._at("serper", SERPER_URL)
        return self._remote(SerperSearch(self._client, self._key("serper"), url), url)

    def _tavily(self) -> SearchProvider:
        url = self._at("tavily", TAVILY_URL)
        return self._remote(TavilySearch(self._client, self._key("tavily"), url), url)

    def _ddgs(self, engine: str) -> SearchProvider:
        if self._settings.egress == OFFLINE:
            raise ConfigError("The device is set to stay offline: ddgs cannot be asked.")
        if self._settings.egress == LISTED:
            raise ConfigError(
                "The device reaches only hosts that are listed, and ddgs does not say which it "
                "asks: leave it out of search_order."
            )
        return self._remote(DdgsSearch(engine), "")

    def _wikipedia(self) -> SearchProvider:
        url = self._at("wikipedia", WIKIPEDIA_URL)
        return self._remote(WikipediaSearch(self._client, url), url)

    def _arxiv(self) -> SearchProvider:
        url = self._at("arxiv", ARXIV_URL)
        return self._remote(ArxivSearch(self._client, url), url, ARXIV_APART_S)
