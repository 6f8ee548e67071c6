"""Everything wired together: the composition root behind every command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from edge_agent.agent.explore.profile import Profile, profile
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.weights import WEIGHTS, Weights
from edge_agent.agent.runs.service import AgentService
from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.pull import pull
from edge_agent.chat.messages import Chat
from edge_agent.cli.backend import open_backend
from edge_agent.cli.browsing import Browsing, open_browsing
from edge_agent.cli.engines import Engines, open_engines
from edge_agent.cli.extras import Extras, open_extras
from edge_agent.cli.loaded import Loaded, Say
from edge_agent.cli.loading import fetch_model
from edge_agent.cli.local import Here, open_local
from edge_agent.cli.meanings import meant
from edge_agent.cli.reach import Reach
from edge_agent.config import Settings
from edge_agent.errors import CatalogError, ConfigError
from edge_agent.server.text.embedder import EmbeddingModel
from edge_agent.store.database import Database
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Tool
from edge_agent.tools.embed import Embedder
from edge_agent.tools.mcp.approval import NOBODY, Approver
from edge_agent.tools.toolbox import make_tools


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
    extras: Extras = field(default_factory=Extras)

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
    fetched: Fetched, settings: Settings, reach: Reach, say: Say, approver: Approver = NOBODY
) -> AsyncIterator[House]:
    """Load the model and build the agent. Everything is closed at the end. Raises any error.

    approver: asked before a tool of an MCP server is called that its file says to ask for.
    """
    async with (
        opened(fetched, settings, say) as loaded,
        open_extras(settings, loaded.chat, say, approver) as extras,
    ):
        way = profile(settings.profile or loaded.profile)
        embedder = fetched.embedder
        async with over(loaded, way, settings, reach, embedder, extras=extras) as house:
            yield house


@dataclass(frozen=True, slots=True)
class World:
    """What can be searched and read, and where it is kept."""

    journal: Database
    pages: PageStore
    tools_for: ToolsFor


@asynccontextmanager
async def open_world(
    settings: Settings, reach: Reach, more: Callable[[], Mapping[str, Tool]] = dict
) -> AsyncIterator[World]:
    """Search and reading, with or without a model. more: tools beside them, asked at each run."""
    async with AsyncExitStack() as stack:
        journal = open_journal(settings.data_dir / "journal.sqlite")
        stack.callback(journal.close)
        browsing = await stack.enter_async_context(open_browsing(settings, reach.allow_hosts))
        pages = PageStore(journal)
        engines = await stack.enter_async_context(open_engines(settings, reach))
        yield World(journal, pages, ToolsFor(reach, engines, browsing, pages, more))


@asynccontextmanager
async def over(
    loaded: Loaded,
    way: Profile,
    settings: Settings,
    reach: Reach,
    embedder: Embedder | None,
    weights: Weights = WEIGHTS,
    extras: Extras | None = None,
) -> AsyncIterator[House]:
    """Build the agent over a model that is loaded."""
    extras = extras or Extras()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world(settings, reach, extras.now))
        agent = AgentService(
            loaded.chat,
            way,
            world.tools_for,
            RunStore(world.journal),
            Ranker(embedder, weights),
            frozenset(loaded.names),
            Supervisor(settings.runs_at_once, loaded.device.use, settings.requests_per_key),
            loaded.n_parallel,
        )
        stack.push_async_callback(agent.close)
        embeddings = None if embedder is None else EmbeddingModel(EMBEDDING_MODEL, embedder)
        if embeddings is not None:
            stack.callback(embeddings.close)
        if embedder is not None:
            await stack.enter_async_context(meant(reach.libraries, embedder))
        yield House(loaded, agent, world.tools_for, world.pages, embeddings, extras)


def opened(fetched: Fetched, settings: Settings, say: Say) -> AbstractAsyncContextManager[Loaded]:
    """The model, here or at the backend, while the block runs. Raises any error."""
    if fetched.here is not None:
        return open_local(fetched.here, settings, say)
    if settings.backend:
        return open_backend(settings.backend, settings, say)
    raise ConfigError("There is neither a model here nor a backend: name one with --model.")


class ToolsFor:
    """The tools of one run: over one library when it names one, else over all there is; and
    what there is `more` when it begins."""

    def __init__(
        self,
        reach: Reach,
        engines: Engines,
        browsing: Browsing,
        pages: PageStore,
        more: Callable[[], Mapping[str, Tool]] = dict,
    ) -> None:
        self._reach = reach
        self._engines = engines
        self._browsing = browsing
        self._pages = pages
        self._more = more

    def __call__(self, library: str | None) -> Mapping[str, Tool]:
        browser = self._browsing.browser(self._pages, self._reach.libraries)
        return {**make_tools(self._engines.chain(library), browser), **self._more()}


def _embedder(
    settings: Settings, catalog: Catalog, say: Say, progress: Progress
) -> Embedder | None:
    try:
        return Embedder(pull(catalog.get(EMBEDDING_MODEL), settings.models_dir, progress))
    except CatalogError as error:
        say(f"Pages are ranked by words alone, because the embedding model is missing: {error}")
        return None
