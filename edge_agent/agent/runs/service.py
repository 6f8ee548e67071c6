"""Runs as things: built, told while they go, journalled, and always ended with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone

from edge_agent.agent.answer.answerer import NOT_FOUND, Answerer
from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.loop import Ending, Explorer
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.jsonable import event_as_json, run_as_json
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import (
    Answered,
    Citation,
    Reason,
    Run,
    RunEvent,
    RunStarted,
    RunUsage,
    Status,
    Step,
    Task,
    TextDelta,
    ThoughtDelta,
)
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import Refiner
from edge_agent.chat.messages import Chat
from edge_agent.errors import EdgeAgentError, NotFound, RequestError, StoreError
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Tool
from edge_agent.tools.embed import TextEmbedder

# the tools of a run, for the library it names (None: whatever is configured); raises NotFound
ToolsFor = Callable[[str | None], Mapping[str, Tool]]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """What a run in progress has come to."""

    id: str
    task: Task
    created_at: str
    steps: list[Step] = field(default_factory=list)
    events: asyncio.Queue[RunEvent] = field(default_factory=asyncio.Queue)


class AgentService:
    """Implements `records.Agent` over one chat model, a set of tools and a journal."""

    def __init__(
        self,
        chat: Chat,
        profile: Profile,
        tools_for: ToolsFor,
        store: RunStore,
        embedder: TextEmbedder | None,
        model_names: frozenset[str] = frozenset(),
    ) -> None:
        self._chat = chat
        self._profile = profile
        self._tools_for = tools_for
        self._store = store
        self._ranker = Ranker(embedder)
        self._names = model_names | {chat.name, "auto"}

    async def run(self, task: Task) -> Run:
        """The fold of `stream`."""
        async with contextlib.aclosing(self.stream(task)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event.run
        raise AssertionError("a run ends with Answered")

    async def stream(self, task: Task) -> AsyncGenerator[RunEvent, None]:
        """Everything that happens; closing the iterator cancels the run and journals that."""
        tools = self._check(task)
        work = Work(f"run_{secrets.token_hex(8)}", task, _now())
        budget = Budget(task.limits)
        self._store.create(
            work.id, task.task, self._chat.name, work.created_at, {"limits": asdict(task.limits)}
        )
        explorer = self._explorer(work, tools, budget)
        work.events.put_nowait(RunStarted(work.id, task.task, self._chat.name))
        running = asyncio.create_task(self._finish(work, explorer, budget))
        try:
            while True:
                event = await work.events.get()
                yield event
                if isinstance(event, Answered):
                    return
        finally:
            await _stop(running)
            if running.cancelled():
                self._close(self._run(work, budget, "cancelled", "cancelled", ""))

    def _check(self, task: Task) -> Mapping[str, Tool]:
        if not task.task.strip():
            raise RequestError("The task is empty: say what to find out.", param="task")
        if task.model and task.model not in self._names:
            raise NotFound(f"There is no model {task.model!r} here: this one is {self._chat.name}.")
        return self._tools_for(task.library)

    def _explorer(self, work: Work, tools: Mapping[str, Tool], budget: Budget) -> Explorer:
        profile = self._profile

        def emit(event: RunEvent) -> None:
            if not isinstance(event, (ThoughtDelta, TextDelta)):  # a step holds its whole text
                self._journal(work, event)
            work.events.put_nowait(event)

        def record(step: Step) -> None:
            work.steps.append(step)
            self._store.append(work.id, "step", asdict(step))

        return Explorer(
            work.task.task,
            self._chat,
            profile,
            DIALECTS[profile.dialect](profile),
            Actions(tools, profile.hits, profile.reads),
            Refiner(self._chat, self._ranker, profile.notes, prompt("condense")),
            Answerer(self._chat, self._ranker, profile.answer_tokens),
            budget,
            emit,
            record,
        )

    def _journal(self, work: Work, event: RunEvent) -> None:
        payload = event_as_json(event)
        self._store.append(work.id, str(payload["type"]), payload)

    async def _finish(self, work: Work, explorer: Explorer, budget: Budget) -> None:
        """Explore, answer, and close the record, whatever happens on the way."""
        try:
            run = await self._explored(work, explorer, budget)
        except EdgeAgentError as error:
            run = self._run(work, budget, "failed", "env_error", f"No answer: {error}")
        except Exception as error:  # a defect of ours ends the run, never the one who waits for it
            log.exception("run %s ended by a defect", work.id)
            text = f"No answer: an internal error ended the run ({type(error).__name__})."
            run = self._run(work, budget, "failed", "env_error", text)
        self._close(run)
        work.events.put_nowait(Answered(run))

    async def _explored(self, work: Work, explorer: Explorer, budget: Budget) -> Run:
        ending = await explorer.explore()
        if not len(explorer.evidence):
            return self._without_evidence(work, budget, ending)
        try:
            answer = await explorer.answer(ending)
        except asyncio.TimeoutError:
            return self._run(work, budget, "completed", "time_limit", NOT_FOUND)
        citations = answer.citations
        return self._run(work, budget, "completed", ending.reason, answer.text, citations)

    def _without_evidence(self, work: Work, budget: Budget, ending: Ending) -> Run:
        """Nothing was read: an answer of the model's own stands uncited, else say what failed."""
        errors = [a.error for step in work.steps for a in step.actions if a.error]
        because = f": {errors[-1]}" if errors else ""
        text = ending.answer or f"{NOT_FOUND}{because}"
        failed = ending.reason == "tool_failed" or (bool(errors) and not ending.answer)
        reason: Reason = "tool_failed" if failed else ending.reason
        return self._run(work, budget, "failed" if failed else "completed", reason, text)

    def _run(
        self,
        work: Work,
        budget: Budget,
        status: Status,
        reason: Reason,
        answer: str,
        citations: tuple[Citation, ...] = (),
    ) -> Run:
        usage: RunUsage = budget.usage()
        return Run(
            work.id,
            work.task.task,
            self._chat.name,
            status,
            reason,
            answer,
            citations,
            tuple(work.steps),
            usage,
            work.created_at,
        )

    def _close(self, run: Run) -> None:
        try:
            self._store.finish(run.id, run.status, run.reason, run_as_json(run))
        except StoreError as error:  # a full disk must not swallow the answer
            log.error("run %s could not be closed in the journal: %s", run.id, error)


async def _stop(running: asyncio.Task[None]) -> None:
    """Cancel what still runs and wait for its clean-up."""
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
