"""The agent of this device behind one call: loaded at the first question, closed at the end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import Annotated

from pydantic import Field

from edge_agent.agent.jsonable import run_as_json
from edge_agent.agent.records import Answered, Limits, Run, RunEvent, StepStarted, Task, ToolCalled
from edge_agent.catalog.progress import silent as no_progress
from edge_agent.cli.house import House, fetch, furnish
from edge_agent.cli.loaded import Say
from edge_agent.cli.reach import Reach
from edge_agent.config import Settings
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.offer import Said, Tell

LINE_CHARS = 200
Question = Annotated[str, Field(description="what to find out, as a whole sentence")]
InLibrary = Annotated[str | None, Field(description="name of a library of the device to ask alone")]
InSeconds = Annotated[float | None, Field(gt=0, description="most seconds to take")]
TOLD = ("id", "status", "reason", "answer", "verified", "citations", "remarks", "usage", "model")


class Researcher:
    """Asks the agent. The model takes memory only once there is a question."""

    def __init__(self, settings: Settings, reach: Reach, say: Say, limits: Limits) -> None:
        self._settings = settings
        self._reach = reach
        self._say = say
        self._limits = limits
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[House] | None = None

    async def house(self) -> House:
        """The house, opened once; a caller that gives up does not stop it. Raises any error."""
        if self._opening is None or (self._opening.done() and self._failed(self._opening)):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    @staticmethod
    def _failed(opening: asyncio.Task[House]) -> bool:
        return opening.cancelled() or opening.exception() is not None

    async def _open(self) -> House:
        fetched = await asyncio.to_thread(fetch, self._settings, self._say, no_progress)
        furnished = furnish(fetched, self._settings, self._reach, self._say)
        return await self._stack.enter_async_context(furnished)

    async def research(self, task: Task, tell: Tell) -> Run:
        """A run from its beginning to its end; giving up the wait cancels it."""
        if self._opening is None:
            await tell("loading the model")
        house = await self.house()
        async with aclosing(house.agent.stream(task)) as events:
            async for event in events:
                if line := line_of(event):
                    await tell(line)
                if isinstance(event, Answered):
                    return event.run
        raise AssertionError("a run ends with Answered")

    async def close(self) -> None:
        """Give the model's memory back."""
        if self._opening is not None and not self._opening.done():
            await asyncio.wait([self._opening])
        await self._stack.aclose()

    def tool(self, tell: Tell) -> Tool:
        """`research`, as others call it."""

        async def research(
            question: Question, library: InLibrary = None, seconds: InSeconds = None
        ) -> Run:
            """Answer a question by searching and reading, with quotes of the sources as proof.
            Takes from half a minute to several; ask for one thing at a time."""
            limits = self._limits
            if seconds is not None:
                limits = Limits(limits.steps, limits.tokens, min(seconds, limits.seconds))
            return await self.research(Task(question, limits=limits, library=library), tell)

        return Tool.of(research)


def line_of(event: RunEvent) -> str:
    """What of an event someone who waits is told."""
    if isinstance(event, StepStarted):
        return f"step {event.step}"
    if isinstance(event, ToolCalled):
        said = "; ".join(str(value) for value in event.arguments.values() if value)
        return f"{event.tool}: {said}"[:LINE_CHARS]
    return ""


def answer_of(run: Run) -> Said:
    """A run for another agent: the answer, its quotes, and what speaks against it."""
    lines = [run.answer or f"No answer ({run.reason})."]
    for number, cited in enumerate(run.citations, 1):
        lines.append(f"[{number}] {cited.title} ({cited.url}): “{cited.quote}”")
    lines += [f"Note: {remark}" for remark in run.remarks]
    if run.verified is False:
        lines.append("Note: the sources do not carry this answer.")
    record = run_as_json(run)
    return Said("\n".join(lines), {key: record[key] for key in TOLD}, run.status != "completed")
