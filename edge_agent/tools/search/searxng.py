"""SearXNG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge_agent.errors import SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.endpoint import ApiClient, Endpoint
from edge_agent.tools.search.rows import hits_of


class SearxngSearch:
    """Any SearXNG instance, through its JSON interface (`/search?q=...&format=json`)."""

    def __init__(self, client: ApiClient, url: str, name: str = "searxng") -> None:
        self._url = url.rstrip("/").removesuffix("/search") + "/search"
        self._name = name
        self._endpoint = Endpoint(client, self._url, self._url)

    @property
    def name(self) -> str:
        return self._name

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError, also when the instance's own engines all failed to answer."""
        try:
            reply = await self._endpoint.get({"q": query, "format": "json"})
        except SearchError as error:
            raise self._explained(error) from None
        answer = self._endpoint.json_of(reply)
        if not isinstance(answer.get("results"), list):
            raise SearchError(f"{self._url} answered with JSON that is not SearXNG's.")
        hits = self._hits(answer["results"], limit)
        if not hits and answer.get("unresponsive_engines"):
            failed = ", ".join(_engine_names(answer["unresponsive_engines"]))
            raise SearchError(f"{self._url} found nothing because its engines failed ({failed}).")
        return hits

    def _explained(self, error: SearchError) -> SearchError:
        if " 403 " not in str(error):
            return error
        return SearchError(
            f"{self._url} does not give JSON (403): add json to search.formats in the instance's "
            "settings.yml."
        )

    def _hits(self, rows: list[Any], limit: int) -> list[SearchHit]:
        """Each names the engine behind SearXNG that found it."""
        named = [row for row in rows if isinstance(row, Mapping)]
        hits: list[SearchHit] = []
        for row in named:
            for hit in hits_of([row], self._name, 1, published="publishedDate"):
                engine = row.get("engine")
                source = f"{self._name}/{engine}" if isinstance(engine, str) else self._name
                hits.append(replace(hit, source=source))
        return hits[:limit]


def _engine_names(unresponsive: Any) -> list[str]:
    """SearXNG lists pairs of name and reason."""
    rows = unresponsive if isinstance(unresponsive, list) else [unresponsive]
    return [": ".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows]
