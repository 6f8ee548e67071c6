"""What a turn of the model does to the world: searches and reads, with repetition made useful."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.agent.explore.guard import Guard, canonical
from edge_agent.agent.records import Action
from edge_agent.errors import ToolError
from edge_agent.tools.base import FetchFailure, Page, SearchHit, SearchResults, Tool

SNIPPET_WORDS = 30


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a turn, with its arguments as the tool takes them."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a line for the record, text for the model, pages for the refiner.

    repeated: the call had been made before.
    """

    action: Action
    text: str
    pages: tuple[Page, ...] = ()
    purpose: str = ""
    repeated: bool = False


@dataclass(slots=True)
class Found:
    """Search results of a run, numbered as the model sees them."""

    hits: list[SearchHit] = field(default_factory=list)

    def add(self, hits: Sequence[SearchHit]) -> list[int]:
        """Number the hits; a page that was found before keeps its number."""
        known = {canonical(hit.url): number for number, hit in enumerate(self.hits, 1)}
        numbers = []
        for hit in hits:
            key = canonical(hit.url)
            if key not in known:
                self.hits.append(hit)
                known[key] = len(self.hits)
            numbers.append(known[key])
        return numbers

    def url_of(self, reference: str) -> str:
        """The URL that a number, a title or a URL names; the reference itself when none fits."""
        wanted = reference.strip().strip("[]").casefold()
        for number, hit in enumerate(self.hits, 1):
            if wanted in (str(number), hit.title.casefold(), canonical(hit.url).casefold()):
                return hit.url
        partly = [hit.url for hit in self.hits if wanted and wanted in hit.title.casefold()]
        return partly[0] if partly and "://" not in wanted else reference.strip()


class Actions:
    """The tools of one run. A failure is an outcome to read, never an exception.

    hits: results of one search that the model is shown; 0 shows none of them and reads the best
    `reads` unread ones at once.
    """

    def __init__(self, tools: Mapping[str, Tool], hits: int, reads: int) -> None:
        self._tools = tools
        self._hits = hits
        self._reads = reads
        self._guard = Guard()
        self.found = Found()

    def unread(self) -> list[tuple[int, SearchHit]]:
        """Numbered results that were not read yet, in the order they were found."""
        return [
            (number, hit)
            for number, hit in enumerate(self.found.hits, 1)
            if not self._guard.was_read(hit.url)
        ]

    def describe_unread(self) -> str:
        """The unread results as the model reads them, or ""."""
        lines = [self._hit_line(n, hit) for n, hit in self.unread()[: self._hits]]
        return "\n".join(["Results not read yet:", *lines]) if lines else ""

    async def run_all(self, calls: Sequence[Call]) -> list[Outcome]:
        """All calls of a turn at once."""
        return await asyncio.gather(*(self.run(call) for call in calls))

    async def run(self, call: Call) -> Outcome:
        began = time.monotonic()
        try:
            outcome = await self._dispatch(call)
        except ToolError as error:
            outcome = self._outcome(call, str(error), f"Error: {error}", error=str(error))
        seconds = round(time.monotonic() - began, 3)
        return replace(outcome, action=replace(outcome.action, seconds=seconds))

    async def _dispatch(self, call: Call) -> Outcome:
        if call.tool == "search":
            return await self._search(call)
        if call.tool == "fetch_url":
            return await self._read(call)
        known = ", ".join(self._tools)
        raise ToolError(f"There is no tool {call.tool}: the tools are {known}.")

    async def _search(self, call: Call) -> Outcome:
        queries = [str(query) for query in _as_list(call.arguments.get("query"))]
        new = [query for query in queries if self._guard.is_new_query(query)]
        if not new:
            return await self._next_unread(call, "This was searched before.", " ".join(queries))
        results: list[SearchResults] = await self._tools["search"].call({"query": new})
        text = "\n".join(filter(None, (self._told(result) for result in results)))
        count = sum(len(result.hits) for result in results)
        engines = ", ".join(dict.fromkeys(r.engine for r in results if r.engine)) or "no engine"
        line = f"{count} results from {engines}"
        urls = self._best_unread(results)
        if not urls:
            return self._outcome(call, line, text)
        return await self._fetch(call, urls, " ".join(new), text, line)

    def _best_unread(self, results: Sequence[SearchResults]) -> list[str]:
        """What is read at once: the best of the results that were not read yet."""
        hits = [hit for result in results for hit in result.hits]
        unread = [hit.url for hit in hits if not self._guard.was_read(hit.url)]
        return [url for url in unread[: self._reads] if self._guard.is_new_url(url)]

    def _told(self, result: SearchResults) -> str:
        """What the model reads of a search."""
        numbers = self.found.add(result.hits)
        failures = [f"({name} failed: {why})" for name, why in result.failures]
        if not result.hits:
            return "\n".join([f"“{result.query}” found nothing: use other words.", *failures])
        if not self._hits:
            return "\n".join(failures)
        pairs = list(zip(numbers, result.hits, strict=True))[: self._hits]
        lines = [self._hit_line(n, hit) for n, hit in pairs]
        return "\n".join([f"Results for “{result.query}”:", *lines, *failures])

    def _hit_line(self, number: int, hit: SearchHit) -> str:
        snippet = " ".join(hit.snippet.split()[:SNIPPET_WORDS])
        read = ", already read" if self._guard.was_read(hit.url) else ""
        return f"{number}. {hit.title} ({hit.url}{read}): {snippet}"

    async def _read(self, call: Call) -> Outcome:
        purpose = str(call.arguments.get("purpose") or "")
        wanted = [
            self.found.url_of(str(reference)) for reference in _as_list(call.arguments.get("url"))
        ]
        urls = [url for url in dict.fromkeys(wanted) if self._guard.is_new_url(url)]
        if not urls:
            return await self._next_unread(call, "This was read before.", purpose)
        return await self._fetch(call, urls, purpose, "")

    async def _next_unread(self, call: Call, why: str, purpose: str) -> Outcome:
        """A repeated call reads the next result instead: that is never wasted."""
        unread = self.unread()
        if not unread:
            text = f"{why} Nothing unread is left: search for something else, or answer."
            return self._outcome(call, why, text, repeated=True)
        url = unread[0][1].url
        self._guard.is_new_url(url)
        text = f"{why} Instead, the next unread result was read."
        return replace(await self._fetch(call, [url], purpose, text), repeated=True)

    async def _fetch(
        self, call: Call, urls: list[str], purpose: str, text: str, line: str = ""
    ) -> Outcome:
        arguments = {"url": urls, "purpose": purpose}
        read: list[Page | FetchFailure] = await self._tools["fetch_url"].call(arguments)
        pages = tuple(page for page in read if isinstance(page, Page))
        failures = [failure for failure in read if isinstance(failure, FetchFailure)]
        failed = [f"{failure.url} could not be read: {failure.message}" for failure in failures]
        titles = [f"read “{page.title}”" for page in pages]
        result = "; ".join(filter(None, [line or text, *titles, *failed]))
        error = failures[0].message if failures and not pages else None
        told = "\n".join(filter(None, [text, *failed]))
        return self._outcome(call, result, told, pages, purpose, error)

    @staticmethod
    def _outcome(
        call: Call,
        result: str,
        text: str,
        pages: tuple[Page, ...] = (),
        purpose: str = "",
        error: str | None = None,
        repeated: bool = False,
    ) -> Outcome:
        action = Action(call.tool, dict(call.arguments), result, error)
        return Outcome(action, text, pages, purpose, repeated)


def _as_list(value: Any) -> list[Any]:
    """Models write a string where a list is due."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
