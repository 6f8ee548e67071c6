"""Engines without an interface for programs, through ddgs: DuckDuckGo, Mojeek and others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from ddgs import DDGS
from ddgs.engines import ENGINES
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from edge_agent.errors import ConfigError, SearchBusy, SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.rows import hits_of, line

TIMEOUT_S = 10
DEFAULT_ENGINES = ("duckduckgo", "mojeek", "yahoo")


class TextSearchClient(Protocol):
    """The one call of `ddgs.DDGS` that is used."""

    def text(self, query: str, **kwargs: Any) -> list[dict[str, Any]]: ...


def ddgs_client() -> TextSearchClient:
    """The real one."""
    return DDGS(timeout=TIMEOUT_S)


class DdgsSearch:
    """One engine through ddgs, and no other behind its name. Raises ConfigError for an unknown one.

    ddgs says "no results" also for a refusal that an engine dresses as a page (status 202 or 403),
    so finding nothing is a failure here: the next engine is asked, and nobody concludes that there
    is nothing to find.
    """

    def __init__(
        self,
        engine: str = "duckduckgo",
        client: Callable[[], TextSearchClient] = ddgs_client,
        timeout_s: float = 2.0 * TIMEOUT_S,
    ) -> None:
        if engine not in ENGINES["text"]:  # of an unknown name ddgs makes all it has
            known = ", ".join(sorted(ENGINES["text"]))
            raise ConfigError(f"ddgs has no engine {engine!r}: it has {known}.")
        self._engine = engine
        self._client = client
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return f"ddgs/{self._engine}"

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError: rate limit, no answer in time, no connection, no results."""
        title = self._engine.capitalize()
        try:
            found = await asyncio.wait_for(
                asyncio.to_thread(self._ask, query, limit), self._timeout_s
            )
        except (TimeoutException, asyncio.TimeoutError):
            raise SearchError(f"{title} did not answer in time.", transient=True) from None
        except RatelimitException:
            raise SearchBusy(f"{title} refuses more queries for now.", None) from None
        except DDGSException as error:
            if "No results found" in str(error):
                raise SearchError(
                    f"{title} gave no results, as it also does when it refuses a query: word the "
                    "query differently or wait a minute."
                ) from None
            told = f"{title} could not be asked: {line(str(error))[:200]}."
            raise SearchError(told, transient=True) from error
        return hits_of(found, self.name, limit, "href", snippet="body")

    def _ask(self, query: str, limit: int) -> list[dict[str, Any]]:
        return self._client().text(query, max_results=limit, backend=self._engine)
