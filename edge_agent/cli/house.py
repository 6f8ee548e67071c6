"""Everything wired together: the composition root behind every command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.profile import profile
from edge_agent.agent.service import AgentService
from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.choose import Choice
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.pull import pull
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.cli.loading import fetch_model, plan_of
from edge_agent.cli.reach import Reach
from edge_agent.config import Settings
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import CatalogError, NotFound
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import SearchProvider, Tool
from edge_agent.tools.browse import Browser
from edge_agent.tools.embed import Embedder
from edge_agent.tools.search import DuckDuckGoSearch, SearchChain, SearxngSearch
from edge_agent.tools.toolbox import make_tools
from edge_agent.tools.web import WebClient

DEFAULT_PROFILE = "plain"  # of a model without a card: constrained JSON works with every model
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is on the device and can be loaded; no embedder when its model could not be had."""

    model: Choice
    path: Path
    embedder: Embedder | None
    catalog: Catalog


@dataclass(frozen=True, slots=True)
class House:
    """A loaded model and an agent over it."""

    model: Choice
    path: Path
    chat: ChatModel
    agent: AgentService
    engine: EngineClient
    sampling: SamplingParams
    catalog: Catalog


def fetch(settings: Settings, say: Say, progress: Progress) -> Fetched:
    """Choose a model and bring it here with the embedding model; blocks while it downloads.

    Called before there is an event loop, so that Ctrl-C ends a download at once. `say` hears one
    line per thing a person should know. Raises any of errors.py.
    """
    catalog = Catalog.load(settings.models_dir)
    choice, path = fetch_model(settings, say, progress)
    return Fetched(choice, path, _embedder(settings, catalog, say, progress), catalog)


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
    choice, path = fetched.model, fetched.path
    planned = plan_of(path, settings)
    say(f"Loading {path.name}: {planned.reason}.")
    async with AsyncExitStack() as stack:
        engine = EngineClient(planned.spec, say)
        stack.push_async_callback(engine.close)
        await engine.start()
        chat = _chat(settings, choice, path, engine)
        journal = open_journal(settings.data_dir / "journal.sqlite")
        stack.callback(journal.close)
        web = await stack.enter_async_context(WebClient(allow_hosts=reach.allow_hosts))
        agent = AgentService(
            chat,
            profile(choice.card.profile if choice.card else DEFAULT_PROFILE),
            ToolsFor(reach, web, PageStore(journal)),
            RunStore(journal),
            fetched.embedder,
            frozenset(names_of(settings, choice, path)),
        )
        sampling = _sampling(settings, choice.card)
        yield House(choice, path, chat, agent, engine, sampling, fetched.catalog)


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


def names_of(settings: Settings, choice: Choice, path: Path) -> tuple[str, ...]:
    """By what names clients may ask for the model; the first is its own."""
    names = (settings.alias, choice.name, path.stem, path.name, settings.model)
    return tuple(dict.fromkeys(name for name in names if name))


def _embedder(
    settings: Settings, catalog: Catalog, say: Say, progress: Progress
) -> Embedder | None:
    try:
        return Embedder(pull(catalog.get(EMBEDDING_MODEL), settings.models_dir, progress))
    except CatalogError as error:
        say(f"Pages are ranked by words alone, because the embedding model is missing: {error}")
        return None


def _chat(settings: Settings, choice: Choice, path: Path, engine: EngineClient) -> ChatModel:
    vocab = Vocab.load(path)
    window = engine.info.n_ctx
    return ChatModel(
        settings.alias or choice.name,
        vocab,
        engine,
        ChatTemplate.of(vocab, settings.chat_template_file),
        # --parallel divides the window as llama-server does; without it a request may have it all
        window // settings.parallel if settings.parallel else window,
        _sampling(settings, choice.card),
        settings.n_predict if settings.n_predict > 0 else None,
    )


def _sampling(settings: Settings, card: Card | None) -> SamplingParams:
    base = SamplingParams().with_(**(card.sampling if card else {}))
    seed = None if settings.seed == -1 else settings.seed  # -1 is llama-server's word for any
    return base.with_(temperature=settings.temp, seed=seed)
