"""What a turn of the model does to the world, with repetition made useful."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from edge_agent.agent.explore.fetching import Fetching
from edge_agent.agent.explore.outcome import Outcome, as_repeated, outcome_of, timed
from edge_agent.agent.explore.searching import Searching
from edge_agent.agent.explore.trail import Trail, letters
from edge_agent.agent.explore.turn import FETCH, PYTHON, RECALL, SEARCH, Call
from edge_agent.chat.messages import ToolSpec
from edge_agent.errors import ToolError
from edge_agent.tools.base import Page, Tool
from edge_agent.tools.untrusted.fence import fenced

RESULT_CHARS = 8_000  # of what a tool of another kind returns, that the model reads
LINE_CHARS = 120  # of the same, that the record shows
READS_ON = (SEARCH, FETCH)  # whose repeated calls read the next result instead
TRUSTED = frozenset({RECALL, PYTHON})  # what they return is not the world's
SAME_TURN = "This very call stands in this turn already."
PURPOSE_CHARS = 300  # of a call, that its result is refined for


class Actions:
    """The tools of one run. A failure is an outcome to read, never an exception.

    hits, reads: see `Searching`. trail: what they have found and read.
    """

    def __init__(self, tools: Mapping[str, Tool], hits: int, reads: int) -> None:
        self._tools = tools
        self.trail = Trail()
        self._fetching = Fetching(tools, self.trail)
        self._searching = Searching(tools, self.trail, self._fetching, hits, reads)

    def spec(self, name: str) -> ToolSpec | None:
        """How a model is told of a tool, where the run has it."""
        tool = self._tools.get(name)
        return ToolSpec(tool.name, tool.description, tool.parameters) if tool else None

    def describe_unread(self) -> str:
        """The unread results as the model reads them, or ""."""
        return self._searching.describe_unread()

    async def run_all(self, calls: Sequence[Call]) -> list[Outcome]:
        """All calls of a turn at once; of the same call of another tool one is made."""
        first = {letters(call): i for i, call in reversed(list(enumerate(calls)))}
        work = (
            self._stands_already(call)
            if first[letters(call)] < i and call.tool not in READS_ON
            else self.run(call)
            for i, call in enumerate(calls)
        )
        return await asyncio.gather(*work)

    async def _stands_already(self, call: Call) -> Outcome:
        return as_repeated(outcome_of(call, SAME_TURN, SAME_TURN))

    async def run(self, call: Call) -> Outcome:
        """One call of the model."""
        return await timed(self._kept(call, self._dispatch(call)))

    async def follow(self, queries: Sequence[str]) -> Outcome:
        """Search them all and read the best unread result of each."""
        return await timed(self._follow(Call(SEARCH, {"query": list(queries)})))

    async def look_up(self, call: Call, name: str) -> Outcome:
        """Search for what the call says, and read what is about the name."""
        return await timed(self._kept(call, self._searching.look_up(call, name)))

    async def _kept(self, call: Call, work: Awaitable[Outcome]) -> Outcome:
        """What the work for a call comes to; one that was answered is remembered."""
        try:
            outcome = await work
            self.trail.remember(call)
        except ToolError as error:
            return outcome_of(call, str(error), f"Error: {error}", error=str(error))
        return outcome

    async def _follow(self, call: Call) -> Outcome:
        try:
            return await self._searching.follow(call)
        except ToolError as error:
            return outcome_of(call, str(error), "", error=str(error))

    async def _dispatch(self, call: Call) -> Outcome:
        if call.tool == SEARCH:
            return await self._searching.search(call)
        if call.tool == FETCH:
            return await self._fetching.read(call)
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
        self.trail.provenance.link_from(text)
        told = text if call.tool in TRUSTED else fenced(text, f"the tool {call.tool}")
        return outcome_of(call, line, told)

    def _page_of_tool(self, call: Call, page: Page) -> Outcome:
        self.trail.provenance.learn([page.url])
        self.trail.provenance.link_from(page.text)
        self.trail.note_tried("called", page.title)
        line = " ".join(page.text[: 2 * LINE_CHARS].split())[:LINE_CHARS]
        said = " ".join(str(value) for value in call.arguments.values())
        return outcome_of(call, line, "", (page,), f"{call.tool} {said}"[:PURPOSE_CHARS])
