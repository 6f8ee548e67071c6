"""Search engines, and the chain that asks them in order and says who answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ddgs import DDGS
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from edge_agent.errors import FetchError, SearchError, ToolError
from edge_agent.tools.base import SearchHit, SearchProvider, SearchResults
from edge_agent.tools.web import WebClient

DUCKDUCKGO_TIMEOUT_S = 10


class SearxngSearch:
    """Any SearXNG instance, through its JSON API (`/search?q=...&format=json`)."""

    def __init__(self, web: WebClient, url: str, name: str = "searxng") -> None:
        self._web = web
        self._url = url.rstrip("/").removesuffix("/search") + "/search"
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError, also when the instance's own engines all failed to answer."""
        try:
            answer = await self._web.get_json(self._url, {"q": query, "format": "json"})
        except FetchError as error:
            raise SearchError(self._explained(error)) from error
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise SearchError(f"{self._url} answered with JSON that is not SearXNG's.")
        hits = [hit for result in results if (hit := self._hit(result)) is not None]
        if not hits and answer.get("unresponsive_engines"):
            failed = ", ".join(_engine_names(answer["unresponsive_engines"]))
            raise SearchError(f"{self._url} found nothing because its engines failed ({failed}).")
        return hits[:limit]

    def _explained(self, error: FetchError) -> str:
        if error.kind == "status" and "403" in str(error):
            return (
                f"{self._url} does not give JSON (403): add json to search.formats in the "
                "instance's settings.yml."
            )
        return str(error)

    def _hit(self, result: Any) -> SearchHit | None:
        if not isinstance(result, Mapping) or not isinstance(result.get("url"), str):
            return None
        engine = result.get("engine")
        return SearchHit(
            url=result["url"],
            title=_line(result.get("title")),
            snippet=_line(result.get("content")),
            source=f"{self._name}/{engine}" if isinstance(engine, str) else self._name,
            published=_line(result.get("publishedDate")) or None,
        )


class TextSearchClient(Protocol):
    """The one call of `ddgs.DDGS` that is used."""

    def text(self, query: str, **kwargs: Any) -> list[dict[str, Any]]: ...


def _ddgs() -> TextSearchClient:
    return DDGS(timeout=DUCKDUCKGO_TIMEOUT_S)


class DuckDuckGoSearch:
    """DuckDuckGo through ddgs, and no other engine behind its name.

    ddgs says "no results" also for a refusal that DuckDuckGo dresses as a page (status 202 or
    403), so finding nothing is a failure here: the next engine is asked, and nobody concludes that
    there is nothing to find.
    """

    def __init__(
        self,
        client: Callable[[], TextSearchClient] = _ddgs,
        timeout_s: float = 2.0 * DUCKDUCKGO_TIMEOUT_S,
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return "duckduckgo"

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError: rate limit, no answer in time, no connection, no results."""
        try:
            found = await asyncio.wait_for(
                asyncio.to_thread(self._ask, query, limit), self._timeout_s
            )
        except (TimeoutException, asyncio.TimeoutError):
            raise SearchError("DuckDuckGo did not answer in time.") from None
        except RatelimitException:
            raise SearchError("DuckDuckGo refuses more queries for now: wait a minute.") from None
        except DDGSException as error:
            if "No results found" in str(error):
                raise SearchError(
                    "DuckDuckGo gave no results, as it also does when it refuses a query: word "
                    "the query differently or wait a minute."
                ) from None
            raise SearchError(f"DuckDuckGo could not be asked: {_line(error)}.") from error
        return [
            SearchHit(one["href"], _line(one.get("title")), _line(one.get("body")), self.name)
            for one in found
            if isinstance(one.get("href"), str)
        ]

    def _ask(self, query: str, limit: int) -> list[dict[str, Any]]:
        return self._client().text(query, max_results=limit, backend="duckduckgo")


class SearchChain:
    """Providers in the order they are asked; the first with hits answers a query."""

    def __init__(self, providers: Sequence[SearchProvider]) -> None:
        self._providers = tuple(providers)

    async def search(self, query: str, limit: int = 10) -> SearchResults:
        """What one query found.

        No hits and an engine's name: it was asked and found nothing. Raises SearchError when every
        provider failed, with the sentence of each.
        """
        failures: list[tuple[str, str]] = []
        answered = ""
        for provider in self._providers:
            try:
                hits = await provider.search(query, limit)
            except ToolError as error:
                failures.append((provider.name, str(error)))
                continue
            answered = answered or provider.name
            if hits:
                unique = tuple({hit.url: hit for hit in reversed(hits)}.values())[::-1]
                return SearchResults(query, unique[:limit], provider.name, tuple(failures))
        if not answered:
            raise SearchError(_nobody(failures))
        return SearchResults(query, (), answered, tuple(failures))

    async def search_all(self, queries: Sequence[str], limit: int = 10) -> list[SearchResults]:
        """All queries at once, in their order; raises SearchError only when every one failed."""
        outcomes = await asyncio.gather(
            *(self.search(query, limit) for query in queries), return_exceptions=True
        )
        return _settled(queries, outcomes)


def _settled(
    queries: Sequence[str], outcomes: Sequence[SearchResults | BaseException]
) -> list[SearchResults]:
    results: list[SearchResults] = []
    for query, outcome in zip(queries, outcomes, strict=True):
        if isinstance(outcome, SearchResults):
            results.append(outcome)
        elif isinstance(outcome, SearchError):
            results.append(SearchResults(query, (), "", (("search", str(outcome)),)))
        else:
            raise outcome
    errors = [outcome for outcome in outcomes if isinstance(outcome, SearchError)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
    return results


def _nobody(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return "There is no search engine: name a library or a SearXNG instance."
    told = " ".join(f"{name}: {sentence}" for name, sentence in failures)
    return f"No search engine answered. {told}"


def _engine_names(unresponsive: Any) -> list[str]:
    """SearXNG lists pairs of name and reason."""
    rows = unresponsive if isinstance(unresponsive, list) else [unresponsive]
    return [": ".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows]


def _line(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())
