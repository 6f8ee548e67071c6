"""Wikipedia, or any other MediaWiki."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.endpoint import ApiClient, Endpoint
from edge_agent.tools.search.rows import hits_of, line, shortened

WIKIPEDIA_URL = "https://en.wikipedia.org"
MAX_CHARS = 300  # CirrusSearch refuses longer ones
_BUSY = frozenset({"ratelimited", "maxlag", "cirrussearch-too-busy-error"})


class WikipediaSearch:
    """The search of a MediaWiki, through its action API (`/w/api.php`)."""

    def __init__(
        self, client: ApiClient, url: str = WIKIPEDIA_URL, name: str = "wikipedia"
    ) -> None:
        self._base = url.rstrip("/").removesuffix("/w/api.php")
        self._endpoint = Endpoint(client, "Wikipedia", f"{self._base}/w/api.php")
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError."""
        params = {
            "action": "query",
            "list": "search",
            "srsearch": shortened(query, MAX_CHARS),
            "srlimit": str(min(limit, 50)),
            "srprop": "snippet|timestamp",
            "format": "json",
            "formatversion": "2",
        }
        answer = self._endpoint.json_of(await self._endpoint.get(params))
        if isinstance(answer.get("error"), dict):
            raise _refused(answer["error"])
        found = answer.get("query")
        if not isinstance(found, dict) or not isinstance(found.get("search"), list):
            raise SearchError("Wikipedia answered with JSON of another form than its own.")
        hits = hits_of(found["search"], self._name, limit, url="title", snippet="snippet")
        return [replace(hit, url=self._url_of(hit.url)) for hit in hits]

    def _url_of(self, title: str) -> str:
        return f"{self._base}/wiki/{quote(title.replace(' ', '_'), safe='/:@!$()*,;')}"


def _refused(error: dict[str, Any]) -> SearchError:
    """MediaWiki says what is wrong with status 200."""
    told = f"Wikipedia refused the query ({line(error.get('info')) or line(error.get('code'))})."
    return SearchBusy(told, None) if error.get("code") in _BUSY else SearchError(told)
