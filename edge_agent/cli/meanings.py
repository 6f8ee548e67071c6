"""Libraries searched by meaning, with the embedding model that ranks pages too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.pull import pull
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import say, stderr
from edge_agent.config import Settings
from edge_agent.errors import CatalogError
from edge_agent.tools.embed import Embedder, TextEmbedder
from edge_agent.tools.library.behind import fill_behind
from edge_agent.tools.library.kind import AnyLibrary


def embedder_of(settings: Settings) -> Embedder | None:
    """The embedding model, brought here if need be; None, said why, when it cannot be had."""
    try:
        with Bar(stderr()) as bar:
            card = Catalog.load(settings.models_dir).get(EMBEDDING_MODEL)
            folder = pull(card, settings.models_dir, bar)
        return Embedder(folder, settings.threads or 1)
    except CatalogError as error:
        say(f"Libraries are searched by words alone: the embedding model is missing. {error}")
        return None


@asynccontextmanager
async def meant(libraries: Mapping[str, AnyLibrary], embedder: TextEmbedder) -> AsyncIterator[None]:
    """While the block runs, libraries use the vectors they have and get those they miss."""
    for library in libraries.values():
        library.embed_with(embedder, EMBEDDING_MODEL)
    filling = asyncio.create_task(fill_behind(list(libraries.values())))
    try:
        yield
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await filling
