"""The two tools of the agent: search, and reading pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from edge_agent.errors import FetchError, ToolError
from edge_agent.tools.base import Fetcher, FetchFailure, Page, SearchResults, Tool
from edge_agent.tools.browse.paging import page_url
from edge_agent.tools.search.chain import SearchChain

MAX_AT_ONCE = 3
RESULTS_PER_QUERY = 10


def batches(items: Sequence[str]) -> list[list[str]]:
    """The items in lists that one call takes."""
    starts = range(0, len(items), MAX_AT_ONCE)
    return [list(items[start : start + MAX_AT_ONCE]) for start in starts]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


UpToThree = Annotated[
    list[str],
    BeforeValidator(_as_list),  # small models write a string where a list is due
    Field(json_schema_extra={"minItems": 1, "maxItems": MAX_AT_ONCE}),
]


PageNumber = Annotated[int, Field(ge=1, description="page of a long document, from 1")]


def make_tools(chain: SearchChain, fetcher: Fetcher) -> dict[str, Tool]:
    """The agent's tools by name, over one search chain and one fetcher."""

    async def search(query: UpToThree) -> list[SearchResults]:
        """Search for pages. Give up to 3 queries; each returns its top 10 results."""
        asked, left = _split(query, "search", "query")
        results = await chain.search_all(asked, RESULTS_PER_QUERY)
        return [*results, *(SearchResults(q, (), "", (("search", _later()),)) for q in left)]

    async def fetch_url(url: UpToThree, purpose: str) -> list[Page | FetchFailure]:
        """Read up to 3 pages. Say in `purpose` what you want to learn from them."""
        asked, left = _split(url, "fetch_url", "url")
        pages = await asyncio.gather(*(_read(fetcher, one) for one in asked))
        return [*pages, *(FetchFailure(one, "refused", _later()) for one in left)]

    return {"search": Tool.of(search), "fetch_url": Tool.of(fetch_url)}


def paged(fetch_url: Tool) -> Tool:
    """`fetch_url` for who reads a long document page by page, and may leave the purpose out."""

    async def read(url: UpToThree, purpose: str = "", page: PageNumber = 1) -> Any:
        """Read up to 3 pages as text. Of a long document one page is given; `page` says which."""
        asked = url if page == 1 else [page_url(one, page) for one in url]
        return await fetch_url.call({"url": asked, "purpose": purpose})

    return Tool.of(read, fetch_url.name)


async def _read(fetcher: Fetcher, url: str) -> Page | FetchFailure:
    try:
        return await fetcher.fetch(url)
    except FetchError as error:
        return FetchFailure(url, error.kind, str(error))


def _split(items: Sequence[str], tool: str, argument: str) -> tuple[list[str], list[str]]:
    """What is done now and what was too much; the same item twice is one."""
    unique = list(dict.fromkeys(item.strip() for item in items if item.strip()))
    if not unique:
        raise ToolError(f"{tool}: give at least one {argument}.")
    return unique[:MAX_AT_ONCE], unique[MAX_AT_ONCE:]


def _later() -> str:
    return f"Only {MAX_AT_ONCE} at a time: ask again for this one."
