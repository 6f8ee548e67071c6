"""The web or the library as an arm without an agent sees it: search, and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edge_agent.errors import SearchError
from edge_agent.tools.base import FetchFailure, Page, SearchHit, SearchResults, Tool
from edge_agent.tools.toolbox import batches


class Pages(Protocol):
    """Both raise ToolError when nothing could be asked."""

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """The best results, [] when there are none."""
        ...

    async def read(self, urls: Sequence[str]) -> list[Page | FetchFailure]:
        """Pages by URL, in order."""
        ...


class ToolPages:
    """The agent's own two tools, so that every arm sees the same pages.

    tools: makes them, anew for each use, so that no try gains by what another has read.
    """

    def __init__(self, tools: Callable[[], Mapping[str, Tool]]) -> None:
        self._tools = tools

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        results: list[SearchResults] = await self._tools()["search"].call({"query": [query]})
        (result,) = results
        if not result.engine:
            raise SearchError(" ".join(why for _, why in result.failures) or "Nobody answered.")
        return list(result.hits[:limit])

    async def read(self, urls: Sequence[str]) -> list[Page | FetchFailure]:
        read: list[Page | FetchFailure] = []
        for some in batches(urls):
            read += await self._tools()["fetch_url"].call({"url": some, "purpose": ""})
        return read
