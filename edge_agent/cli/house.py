"""Everything wired together: the composition root behind every command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from edge_agent.agent.explore.profile import Profile, profile
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.weights import WEIGHTS, Weights
from edge_agent.agent.runs.service import AgentService
from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.pull import pull
from edge_agent.chat.messages import Chat
from edge_agent.cli.backend import open_backend
from edge_agent.cli.loaded import Loaded, Say
from edge_agent.cli.loading import fetch_model
from edge_agent.cli.local import Here, open_local
from edge_agent.cli.reach import Reach
from edge_agent.config import Settings
from edge_agent.errors import CatalogError, ConfigError, NotFound
from edge_agent.server.text.embedder import EmbeddingModel
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import SearchProvider, Tool
from edge_agent.tools.browse import Browser
from edge_agent.tools.embed import Embedder
from edge_agent.tools.search import DuckDuckGoSearch, SearchChain, SearxngSearch
from edge_agent.tools.toolbox import make_tools
from edge_agent.tools.web import WebClient


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is on the device and can be loaded; no model when a backend has it, no embedder when
    its own model could not be had."""

    here: Here | None
    embedder: Embedder | None


@dataclass(frozen=True, slots=True)
class House:
    """A loaded model and an agent over it, with the tools and the pages of its runs."""

    loaded: Loaded
    agent: AgentService
    tools_for: ToolsFor
    pages: PageStore
    embeddings: EmbeddingModel | None = None

    @property
    def chat(self) -> Chat:
        """The model to talk to."""
        return self.loaded.chat


def fetch(settings: Settings, say: Say, progress: Progress) -> Fetched:
    """Choose a model and bring it here with the embedding model; blocks while it downloads.

    Called before there is an event loop, so that Ctrl-C ends a download at once. `say` hears one
    line per thing a person should know. Raises any of errors.py.
    """
    if settings.profile is not None:
        profile(settings.profile)  # a wrong name is told before anything is downloaded
    if settings.backend and settings.model != "auto":
        say(f"The model is the backend's: {settings.model} is not loaded.")
    here = None if settings.backend else Here(*fetch_model(settings, say, progress))
    catalog = Catalog.load(settings.models_dir)
    return Fetched(here, _embedder(settings, catalog, say, progress))


@asynccontextmanager
async def open_house(
    settings: Settings, reach: Reach, say: Say, progress: Progress
) -> AsyncIterator[House]:
    """`fetch`, then `furnish`."""
    fetched = await asyncio.to_thread(fetch, settings, say, progress)
    async with furnish(fetched, settings, reach, say) as house:
        yield house


@asynccontextmanager
async def furnish(
    fetched: Fetched, settings: Settings, reach: Reach, say: Say
) -> AsyncIterator[House]:
    """Load the model and build the agent. Everything is closed at the end. Raises any error."""
    async with opened(fetched, settings, say) as loaded:
        way = profile(settings.profile or loaded.profile)
        async with over(loaded, way, settings, reach, fetched.embedder) as house:
            yield house


@asynccontextmanager
async def over(
    loaded: Loaded,
    way: Profile,
    settings: Settings,
    reach: Reach,
    embedder: Embedder | None,
    weights: Weights = WEIGHTS,
) -> AsyncIterator[House]:
    """Build the agent over a model that is loaded."""
    async with AsyncExitStack() as stack:
        journal = open_journal(settings.data_dir / "journal.sqlite")
        stack.callback(journal.close)
        web = await stack.enter_async_context(WebClient(allow_hosts=reach.allow_hosts))
        pages = PageStore(journal)
        tools_for = ToolsFor(reach, web, pages)
        agent = AgentService(
            loaded.chat,
            way,
            tools_for,
            RunStore(journal),
            Ranker(embedder, weights),
            frozenset(loaded.names),
            settings.runs_at_once,
            loaded.n_parallel,
        )
        stack.push_async_callback(agent.close)
        embeddings = None if embedder is None else EmbeddingModel(EMBEDDING_MODEL, embedder)
        if embeddings is not None:
            stack.callback(embeddings.close)
        yield House(loaded, agent, tools_for, pages, embeddings)


def opened(fetched: Fetched, settings: Settings, say: Say) -> AbstractAsyncContextManager[Loaded]:
    """The model, here or at the backend, while the block runs. Raises any error."""
    if fetched.here is not None:
        return open_local(fetched.here, settings, say)
    if settings.backend:
        return open_backend(settings.backend, settings, say)
    raise ConfigError("There is neither a model here nor a backend: name one with --model.")


class ToolsFor:
    """The tools of one run: over one library when it names one, else over all there is."""

    def __init__(self, reach: Reach, web: WebClient, pages: PageStore) -> None:
        self._reach = reach
        self._web = web
        self._pages = pages

    def __call__(self, library: str | None) -> Mapping[str, Tool]:
        libraries = self._reach.libraries
        if library is not None and library not in libraries:
            known = ", ".join(sorted(libraries)) or "none"
            raise NotFound(f"There is no library {library!r} here; there is: {known}.")
        browser = Browser(self._web, self._pages, libraries)
        return make_tools(SearchChain(self._providers(library)), browser)

    def _providers(self, library: str | None) -> list[SearchProvider]:
        if library is not None:
            return [self._reach.libraries[library]]
        providers: list[SearchProvider] = list(self._reach.libraries.values())
        providers += [SearxngSearch(self._web, url) for url in self._reach.search_urls]
        if self._reach.web_search and not providers:
            providers.append(DuckDuckGoSearch())
        return providers


def _embedder(
    settings: Settings, catalog: Catalog, say: Say, progress: Progress
) -> Embedder | None:
    try:
        return Embedder(pull(catalog.get(EMBEDDING_MODEL), settings.models_dir, progress))
    except CatalogError as error:
        say(f"Pages are ranked by words alone, because the embedding model is missing: {error}")
        return None
