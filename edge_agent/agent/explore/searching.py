"""Searching for the model: what it is told of results, and which of them are read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_agent.agent.explore.arguments import at_once, texts
from edge_agent.agent.explore.fetching import Fetching
from edge_agent.agent.explore.outcome import Outcome, outcome_of
from edge_agent.agent.explore.titles import is_about, names_others
from edge_agent.agent.explore.together import answers
from edge_agent.agent.explore.trail import Trail
from edge_agent.agent.explore.turn import SEARCH, Call
from edge_agent.errors import ToolError
from edge_agent.tools.base import SearchHit, SearchResults, Tool
from edge_agent.tools.search.account import clauses
from edge_agent.tools.toolbox import batches
from edge_agent.tools.untrusted.marks import MARK, suspicious

SNIPPET_WORDS = 30
NEAR = 4  # results of a search that are looked through for a page about a name
SOME = 2  # pages about a name, and of its question


class Searching:
    """Asks for each query once. Methods raise ToolError when none was answered.

    hits: results of one search that the model is shown; 0 shows none of them and reads the best
    `reads` unread ones at once.
    """

    def __init__(
        self, tools: Mapping[str, Tool], trail: Trail, fetching: Fetching, hits: int, reads: int
    ) -> None:
        self._tools = tools
        self._trail = trail
        self._fetching = fetching
        self._hits = hits
        self._reads = reads

    async def search(self, call: Call) -> Outcome:
        """A call of the model; one that only repeats earlier queries reads on instead."""
        queries, later = at_once(texts(call.arguments.get("query"), SEARCH))
        new = self._new(queries)
        if not new:
            why = "This was searched before."
            return await self._fetching.next_unread(call, why, " ".join(queries))
        results = await self._results(new)
        text = "\n".join(filter(None, (*map(self._told, results), later)))
        engines = ", ".join(dict.fromkeys(r.engine for r in results if r.engine)) or "no engine"
        line = f"{_count(results)} results from {engines}"
        urls = self._trail.take_best(results, self._reads)
        if not urls:
            return outcome_of(call, line, text)
        return await self._fetching.fetch(call, urls, " ".join(new), text, line)

    async def follow(self, call: Call) -> Outcome:
        """Search for names on pages, and read the best unread result of each."""
        new = self._new(texts(call.arguments.get("query"), SEARCH))
        results = await self._results(new) if new else []
        for result in results:
            self._trail.learn_hits(result.hits)
        line = f"{_count(results)} results for names on these pages"
        urls = [url for result in results for url in self._trail.take_best([result], 1)]
        if not urls:
            return outcome_of(call, line, "")
        return await self._fetching.fetch(call, urls, "", "", line)

    async def look_up(self, call: Call, name: str) -> Outcome:
        """Search for a question, and what else is to be searched before it. The pages about the
        name are read, and the best of the question where that names other things too; the best
        of every search where no page is about the name."""
        queries = texts(call.arguments.get("query"), SEARCH)
        results = await self._results(queries)
        for result in results:
            self._trail.learn_hits(result.hits)
        line = f"{_count(results)} results"
        urls = self._about(results, name, names_others(queries[-1], name))
        if not urls:
            return outcome_of(call, line, "")
        return await self._fetching.fetch(call, urls, "", "", line)

    def _about(self, results: Sequence[SearchResults], name: str, others: bool) -> list[str]:
        near = [hit for result in results for hit in result.hits[:NEAR]]
        own = dict.fromkeys(hit.url for hit in near if is_about(hit.title, name))
        if not own:
            most = SOME if len(results) > 1 else self._reads
            return [url for result in results for url in self._trail.take_best([result], most)]
        read = [url for url in [*own][:SOME] if self._trail.guard.is_new_url(url)]
        return read + self._trail.take_best(results[-1:], SOME) if others else read

    def describe_unread(self) -> str:
        """The unread results as the model reads them, or ""."""
        lines = [self._line(number, hit) for number, hit in self._trail.unread()[: self._hits]]
        return "\n".join(["Results not read yet:", *lines]) if lines else ""

    def _new(self, queries: Sequence[str]) -> list[str]:
        return [query for query in queries if self._trail.guard.is_new_query(query)]

    async def _results(self, queries: list[str]) -> list[SearchResults]:
        some = ({"query": part} for part in batches(queries))
        try:
            results: list[SearchResults] = await answers(self._tools[SEARCH], some)
        except ToolError:
            self._trail.guard.forget_queries(queries)
            raise
        unanswered = [result.query for result in results if not result.engine]
        self._trail.guard.forget_queries(unanswered)
        return results

    def _told(self, result: SearchResults) -> str:
        """What the model reads of a search."""
        numbers = self._trail.learn_hits(result.hits)
        beside = [f"({clause})" for clause in clauses(result)]
        if not result.hits and not result.engine:
            return "\n".join([f"“{result.query}” was not searched.", *beside])
        if not result.hits:
            return "\n".join([f"“{result.query}” found nothing: use other words.", *beside])
        if not self._hits:
            return "\n".join(beside)
        pairs = list(zip(numbers, result.hits, strict=True))[: self._hits]
        lines = [self._line(number, hit) for number, hit in pairs]
        return "\n".join([f"Results for “{result.query}”:", *lines, *beside])

    def _line(self, number: int, hit: SearchHit) -> str:
        snippet, title = " ".join(hit.snippet.split()[:SNIPPET_WORDS]), " ".join(hit.title.split())
        read = ", already read" if self._trail.guard.was_read(hit.url) else ""
        mark = MARK if suspicious(f"{title}: {snippet}") else ""
        return f"{number}. {mark}{title} ({hit.url}{read}): {snippet}"


def _count(results: Sequence[SearchResults]) -> int:
    return sum(len(result.hits) for result in results)
