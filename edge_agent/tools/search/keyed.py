"""Engines that want an API key: Brave, Serper, Tavily."""

from __future__ import annotations

from edge_agent.errors import SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.endpoint import ApiClient, Endpoint
from edge_agent.tools.search.rows import hits_of, shortened

BRAVE_KEY, SERPER_KEY, TAVILY_KEY = "BRAVE_API_KEY", "SERPER_API_KEY", "TAVILY_API_KEY"
BRAVE_URL = "https://api.search.brave.com/res/v1/web/search"
SERPER_URL = "https://google.serper.dev/search"
TAVILY_URL = "https://api.tavily.com/search"
# what the engines' own documentation allows
BRAVE_MOST, BRAVE_CHARS, BRAVE_WORDS = 20, 400, 50
TAVILY_MOST, TAVILY_CHARS = 20, 400
SERPER_MOST, SERPER_CHARS = 100, 2048


class BraveSearch:
    """Brave's own index: api-dashboard.search.brave.com."""

    name = "brave"

    def __init__(self, client: ApiClient, key: str, url: str = BRAVE_URL) -> None:
        self._headers = {"X-Subscription-Token": key, "Accept": "application/json"}
        self._endpoint = Endpoint(client, "Brave Search", url, key, BRAVE_KEY)

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError."""
        asked = shortened(query, BRAVE_CHARS, BRAVE_WORDS)
        params = {"q": asked, "count": str(min(limit, BRAVE_MOST))}
        reply = await self._endpoint.get(params, self._headers)
        answer = self._endpoint.json_of(reply)
        if answer.get("type") not in (None, "search"):
            raise SearchError("Brave Search answered with something that is no search result.")
        web = answer.get("web")  # left out when nothing was found
        rows = web.get("results") if isinstance(web, dict) else []
        return hits_of(rows, self.name, limit, snippet="description", published="page_age")


class SerperSearch:
    """Google's results through serper.dev."""

    name = "serper"

    def __init__(self, client: ApiClient, key: str, url: str = SERPER_URL) -> None:
        self._headers = {"X-API-KEY": key}
        self._endpoint = Endpoint(client, "Serper", url, key, SERPER_KEY)

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError."""
        body = {"q": shortened(query, SERPER_CHARS), "num": min(limit, SERPER_MOST)}
        answer = self._endpoint.json_of(await self._endpoint.post(body, self._headers))
        if not isinstance(answer.get("organic"), list):
            raise SearchError("Serper answered with JSON of another form than its own.")
        rows = answer["organic"]
        return hits_of(rows, self.name, limit, "link", snippet="snippet", published="date")


class TavilySearch:
    """tavily.com."""

    name = "tavily"

    def __init__(self, client: ApiClient, key: str, url: str = TAVILY_URL) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}
        self._endpoint = Endpoint(client, "Tavily", url, key, TAVILY_KEY)

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError."""
        body = {
            "query": shortened(query, TAVILY_CHARS),
            "max_results": min(limit, TAVILY_MOST),
            "search_depth": "basic",
        }
        answer = self._endpoint.json_of(await self._endpoint.post(body, self._headers))
        if not isinstance(answer.get("results"), list):
            raise SearchError("Tavily answered with JSON of another form than its own.")
        return hits_of(answer["results"], self.name, limit, published="published_date")
