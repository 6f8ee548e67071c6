"""What every library can do, wherever its documents are."""

from __future__ import annotations

from typing import Protocol

from edge_agent.tools.base import Page, SearchHit
from edge_agent.tools.embed import TextEmbedder
from edge_agent.tools.library.source import Told
from edge_agent.tools.library.sync import Refreshed


class AnyLibrary(Protocol):
    """A search engine over documents that can be read; see `library.Library`."""

    @property
    def name(self) -> str: ...

    @property
    def is_open(self) -> bool: ...

    def embed_with(self, embedder: TextEmbedder, name: str) -> None: ...

    def refresh(self, told: Told = ...) -> Refreshed: ...

    def fill(self, at_most: int = ...) -> int: ...

    def counts(self) -> tuple[int, int]: ...

    def find(self, query: str, limit: int) -> list[SearchHit]: ...

    async def search(self, query: str, limit: int) -> list[SearchHit]: ...

    async def fetch(self, url: str) -> Page: ...

    async def holds(self, url: str) -> bool: ...

    def close(self) -> None: ...
