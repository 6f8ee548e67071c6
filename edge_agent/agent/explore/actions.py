"""What a turn of the model does to the world: searches and reads, with repetition made useful."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.agent.explore.arguments import at_once, texts
from edge_agent.agent.explore.found import Found, Provenance, urls_in
from edge_agent.agent.explore.guard import Guard
from edge_agent.agent.explore.turn import Call
from edge_agent.agent.records import Action
from edge_agent.agent.state import RunState
from edge_agent.chat.messages import ToolSpec
from edge_agent.errors import ToolError
from edge_agent.tools.base import FetchFailure, Page, SearchHit, SearchResults, Tool
from edge_agent.tools.toolbox import batches
from edge_agent.tools.untrusted.fence import fenced
from edge_agent.tools.untrusted.marks import MARK, suspicious

SNIPPET_WORDS = 30
RESULT_CHARS = 8_000  # of what a tool of another kind returns, that the model reads
LINE_CHARS = 120  # of the same, that the record shows
OWN = ("search", "fetch_url")  # whose repeated calls read on instead
SAME_TURN = "This very call stands in this turn already."
OWN_TOOLS = frozenset({"recall", "PythonInterpreter"})  # what they return is not the world's
PURPOSE_CHARS = 300  # of a call, that its result is refined for


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
        self._made: set[str] = set()  # calls, to the letter
        self._tried: dict[str, None] = {}  # in words, in order
        self.found = Found()
        self.provenance = Provenance()

    def restore(self, state: RunState) -> None:
        """Know what a run that was cut off had searched, found and read."""
        self._learn_hits(state.hits)
        for query in state.queries:
            self._guard.is_new_query(query)
        for url in state.urls:
            self._guard.is_new_url(url)
        for fact in state.facts:
            self.provenance.link_from(fact.page.text, own=fact.page.url)
        for action in (action for step in state.steps for action in step.actions):
            self._remember(Call(action.tool, action.arguments))
            self._restore_read(action)
        for note in (note for step in state.steps for note in step.notes):
            self._tried[f"read “{note.title}”"] = None

    def _restore_read(self, action: Action) -> None:
        if action.tool != "fetch_url":
            return
        purpose = str(action.arguments.get("purpose") or "")
        for url in self._urls(action.arguments.get("url")):
            self._guard.is_new_url(url)
            self._guard.is_new_purpose(url, purpose)
            self.provenance.guess([url])  # of which only those count that nothing has named
            if action.error:
                self._guard.note_failure(url, action.error)

    def spec(self, name: str) -> ToolSpec | None:
        """How a model is told of a tool, where the run has it."""
        tool = self._tools.get(name)
        return ToolSpec(tool.name, tool.description, tool.parameters) if tool else None

    def is_repeat(self, call: Call) -> bool:
        """Whether this very call was made before."""
        return _letters(call) in self._made

    def _remember(self, call: Call) -> None:
        self._made.add(_letters(call))
        if call.tool == "search":
            for query in texts(call.arguments.get("query"), "search"):
                self._tried[f"searched “{query}”"] = None

    @property
    def tried(self) -> tuple[str, ...]:
        """What was searched and read, in words, in order."""
        return tuple(self._tried)

    def named(self, task: str) -> list[str]:
        """Every address that the user or a search has named."""
        return [*urls_in(task), *(hit.url for hit in self.found.hits)]

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
        """All calls of a turn at once; of the same call of another tool one is made."""
        at = {_letters(call): i for i, call in reversed(list(enumerate(calls)))}
        again = [at[_letters(call)] < i and call.tool not in OWN for i, call in enumerate(calls)]
        work = (
            self._repeated(call) if known else self.run(call)
            for call, known in zip(calls, again, strict=True)
        )
        return await asyncio.gather(*work)

    async def _repeated(self, call: Call) -> Outcome:
        outcome = self._outcome(call, SAME_TURN, SAME_TURN, repeated=True)
        return replace(outcome, action=replace(outcome.action, repeated=True))

    async def run(self, call: Call) -> Outcome:
        began = time.monotonic()
        try:
            outcome = await self._dispatch(call)
            self._remember(call)
        except ToolError as error:
            outcome = self._outcome(call, str(error), f"Error: {error}", error=str(error))
        seconds = round(time.monotonic() - began, 3)
        action = replace(outcome.action, seconds=seconds, repeated=outcome.repeated)
        return replace(outcome, action=action)

    async def follow(self, queries: Sequence[str]) -> Outcome:
        """Search them all and read the best unread result of each."""
        began, call = time.monotonic(), Call("search", {"query": list(queries)})
        new = [query for query in queries if self._guard.is_new_query(query)]
        try:
            results = await self._results(new) if new else []
            line = f"{sum(len(result.hits) for result in results)} results for names on these pages"
            for result in results:
                self._learn_hits(result.hits)
            urls = [url for result in results for url in self._best_unread([result], 1)]
            outcome = await self._fetch(call, urls, "", "", line) if urls else None
        except ToolError as error:
            outcome = self._outcome(call, str(error), "", error=str(error))
        outcome = outcome or self._outcome(call, line, "")
        seconds = round(time.monotonic() - began, 3)
        return replace(outcome, action=replace(outcome.action, seconds=seconds))

    async def _dispatch(self, call: Call) -> Outcome:
        if call.tool == "search":
            return await self._search(call)
        if call.tool == "fetch_url":
            return await self._read(call)
        if call.tool in self._tools:
            return await self._other(call)
        known = ", ".join(self._tools)
        raise ToolError(f"There is no tool {call.tool}: the tools are {known}.")

    async def _other(self, call: Call) -> Outcome:
        """A tool of another kind: a page it returns is refined like any other, the rest is text."""
        returned = await self._tools[call.tool].call(call.arguments)
        if isinstance(returned, Page):
            return self._page_of_tool(call, returned)
        text = str(returned)[:RESULT_CHARS]
        line = " ".join(text.split())[:LINE_CHARS]
        self.provenance.link_from(text)
        own = call.tool in OWN_TOOLS
        return self._outcome(call, line, text if own else fenced(text, f"the tool {call.tool}"))

    def _page_of_tool(self, call: Call, page: Page) -> Outcome:
        self.provenance.learn([page.url])
        self.provenance.link_from(page.text)
        self._tried[f"called “{page.title}”"] = None
        line = " ".join(page.text[: 2 * LINE_CHARS].split())[:LINE_CHARS]
        said = " ".join(str(value) for value in call.arguments.values())
        return self._outcome(call, line, "", (page,), f"{call.tool} {said}"[:PURPOSE_CHARS])

    # searching

    async def _search(self, call: Call) -> Outcome:
        queries, later = at_once(texts(call.arguments.get("query"), "search"))
        new = [query for query in queries if self._guard.is_new_query(query)]
        if not new:
            return await self._next_unread(call, "This was searched before.", " ".join(queries))
        results = await self._results(new)
        text = "\n".join(filter(None, (*map(self._told, results), later)))
        count = sum(len(result.hits) for result in results)
        engines = ", ".join(dict.fromkeys(r.engine for r in results if r.engine)) or "no engine"
        line = f"{count} results from {engines}"
        urls = self._best_unread(results, self._reads)
        if not urls:
            return self._outcome(call, line, text)
        return await self._fetch(call, urls, " ".join(new), text, line)

    async def _results(self, queries: list[str]) -> list[SearchResults]:
        try:
            results: list[SearchResults] = await self._call("search", "query", queries)
        except ToolError:
            self._guard.forget_queries(queries)
            raise
        self._guard.forget_queries([result.query for result in results if not result.engine])
        return results

    async def _call(self, tool: str, key: str, items: list[str], purpose: str = "") -> list[Any]:
        """What the tool returns for all items, which it takes a few at a time; raises ToolError
        only when none was answered."""
        more = {"purpose": purpose} if tool == "fetch_url" else {}
        calls = (self._tools[tool].call({key: part, **more}) for part in batches(items))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in errors:
            if len(errors) == len(outcomes) or not isinstance(error, ToolError):
                raise error
        return [each for outcome in outcomes if isinstance(outcome, list) for each in outcome]

    def _learn_hits(self, hits: Sequence[SearchHit]) -> list[int]:
        self.provenance.learn(hit.url for hit in hits)
        return self.found.add(hits)

    def _best_unread(self, results: Sequence[SearchResults], most: int) -> list[str]:
        """What is read at once: the best of the results that were not read yet."""
        hits = [hit for result in results for hit in result.hits]
        unread = [hit.url for hit in hits if not self._guard.was_read(hit.url)]
        return [url for url in unread[:most] if self._guard.is_new_url(url)]

    def _told(self, result: SearchResults) -> str:
        """What the model reads of a search."""
        numbers = self._learn_hits(result.hits)
        failures = [f"({name} failed: {why})" for name, why in result.failures]
        if not result.hits and not result.engine:
            return "\n".join([f"“{result.query}” was not searched.", *failures])
        if not result.hits:
            return "\n".join([f"“{result.query}” found nothing: use other words.", *failures])
        if not self._hits:
            return "\n".join(failures)
        pairs = list(zip(numbers, result.hits, strict=True))[: self._hits]
        lines = [self._hit_line(n, hit) for n, hit in pairs]
        return "\n".join([f"Results for “{result.query}”:", *lines, *failures])

    def _hit_line(self, number: int, hit: SearchHit) -> str:
        snippet, title = " ".join(hit.snippet.split()[:SNIPPET_WORDS]), " ".join(hit.title.split())
        read = ", already read" if self._guard.was_read(hit.url) else ""
        mark = MARK if suspicious(f"{title}: {snippet}") else ""
        return f"{number}. {mark}{title} ({hit.url}{read}): {snippet}"

    # reading

    def _urls(self, references: Any) -> list[str]:
        wanted = [self.found.url_of(each) for each in texts(references, "fetch_url")]
        return list(dict.fromkeys(wanted))

    async def _read(self, call: Call) -> Outcome:
        purpose = str(call.arguments.get("purpose") or "")
        wanted, later = at_once(self._urls(call.arguments.get("url")))
        urls, withheld = self._let_out(wanted)
        if withheld and not urls:
            return self._outcome(call, withheld, f"Error: {withheld}", error=withheld)
        gone = [url for url in urls if self._guard.failure_of(url)]
        again = [u for u in urls if self._guard.was_read(u) and u not in gone]
        again = [url for url in again if self._guard.is_new_purpose(url, purpose)]
        new = [url for url in urls if self._guard.is_new_url(url)]
        for url in new:
            self._guard.is_new_purpose(url, purpose)
        if not new and not again:
            return await self._next_unread(call, self._why_not(gone), purpose)
        before = "Read again, for this purpose." if again else ""
        text = " ".join(filter(None, [before, later, withheld]))
        return await self._fetch(call, [*new, *again], purpose, text)

    def _let_out(self, wanted: Sequence[str]) -> tuple[list[str], str]:
        """What may be fetched, and what is said of the rest: nothing of the run leaves in a URL."""
        why = {url: self.provenance.refusal(url) for url in wanted}
        held = [f"{url} was not fetched: {reason}." for url, reason in why.items() if reason]
        told = f"{' '.join(held)} Search, or take an address as it stands." if held else ""
        return [url for url in wanted if not why[url]], told

    def _why_not(self, gone: Sequence[str]) -> str:
        failures = [f"{url} could not be read: {self._guard.failure_of(url)}" for url in gone]
        return " ".join(failures) or "This was read before."

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
        read: list[Page | FetchFailure] = await self._call("fetch_url", "url", urls, purpose)
        pages = tuple(page for page in read if isinstance(page, Page))
        failures = [failure for failure in read if isinstance(failure, FetchFailure)]
        failed = [f"{failure.url} could not be read: {failure.message}" for failure in failures]
        guessed = self._note_read(urls, read)
        mark = " (a guessed address)"
        titles = [f"read “{p.title}”{mark if p.url in guessed else ''}" for p in pages]
        result = "; ".join(filter(None, [line or text, *titles, *failed]))
        error = failures[0].message if failures and not pages else None
        warned = [f"{url} was guessed: {_why_guessed(linked)}" for url, linked in guessed.items()]
        told = "\n".join(filter(None, [text, *warned, *failed]))
        return self._outcome(call, result, told, pages, purpose, error)

    def _note_read(
        self, urls: Sequence[str], read: Sequence[Page | FetchFailure]
    ) -> dict[str, bool]:
        """Remember what was read. The addresses of pages that neither the user nor a search gave,
        and whether at least a page did."""
        guessed: dict[str, bool] = {}
        for asked, got in zip(urls, read, strict=False):  # in the order they were asked for
            if isinstance(got, FetchFailure):
                self._guard.note_failure(asked, got.message)
                continue
            self._guard.is_new_url(got.url)
            self._tried[f"read “{got.title}”"] = None
            linked = self.provenance.is_linked(asked)
            self.provenance.link_from(got.text, [link.url for link in got.links], got.url)
            if self.provenance.is_known(asked) or self.provenance.is_known(got.url):
                self.provenance.learn([got.url])  # where a known address leads
            else:
                guessed[got.url] = linked
        self.provenance.guess(url for url, linked in guessed.items() if not linked)
        return guessed

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


def _why_guessed(linked: bool) -> str:
    if linked:
        return "only a page names it, not the question nor a search."
    return "no tool named it, so it proves nothing."


def _letters(call: Call) -> str:
    return json.dumps([call.tool, dict(call.arguments)], sort_keys=True, default=str)
