"""The explore loop: think, act, refine, record, until there is an answer or a budget ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edge_agent.agent.actions import Actions, Call, Outcome
from edge_agent.agent.answerer import Answer, Answerer
from edge_agent.agent.budget import Budget
from edge_agent.agent.dialect import Dialect, Situation, Turn
from edge_agent.agent.evidence import Evidence, as_text
from edge_agent.agent.profile import Profile
from edge_agent.agent.records import (
    Note,
    NoteTaken,
    Reason,
    RunEvent,
    Step,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from edge_agent.agent.refiner import Refined, Refiner
from edge_agent.agent.transcript import Transcript
from edge_agent.chat.messages import (
    Chat,
    ChatRequest,
    Completion,
    Done,
    Prompt,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import Usage
from edge_agent.errors import ContextOverflow

MOST_REPEATS = 2  # turns in a row that only repeat, with nothing unread left
MOST_ERRORS = 3  # turns in a row that nothing can be made of
MOST_FAILURES = 3  # turns in a row whose every call failed, before anything was found
NO_COMPLETION = Completion("", "", (), Done("stop", Usage()))


@dataclass(frozen=True, slots=True)
class Ending:
    """How exploring ended; `answer` when the model wrote one itself."""

    reason: Reason
    answer: str = ""


class Explorer:
    """One run. `emit` hears everything that happens; `steps` is the record so far."""

    def __init__(
        self,
        task: str,
        chat: Chat,
        profile: Profile,
        dialect: Dialect,
        actions: Actions,
        refiner: Refiner,
        answerer: Answerer,
        budget: Budget,
        emit: Callable[[RunEvent], None],
        record: Callable[[Step], None],
    ) -> None:
        self._task = task
        self._chat = chat
        self._profile = profile
        self._dialect = dialect
        self._actions = actions
        self._refiner = refiner
        self._answerer = answerer
        self._budget = budget
        self._emit = emit
        self._record_step = record
        self._transcript = Transcript(chat)
        self._evidence = Evidence()
        self._fresh = True  # the next prompt starts from messages
        self._repeats = self._errors = self._failures = 0

    async def explore(self) -> Ending:
        """Steps until the model answers, a budget ends, or nothing moves any more."""
        try:
            return await asyncio.wait_for(self._steps(), max(self._budget.explore_s, 0))
        except asyncio.TimeoutError:
            return Ending("time_limit")

    async def _steps(self) -> Ending:
        if self._profile.opens_with_search:
            await self.open()
        while True:
            limit = self._budget.exhausted()
            ending = Ending(limit) if limit else await self.step()
            if ending is not None:
                return ending

    async def step(self) -> Ending | None:
        """Think, act, refine, record."""
        number, began = self._begin()
        completion = await self._think(number)
        turn = self._dialect.read(completion)
        outcomes = await self._act(number, turn)
        refined = await self._refine(number, outcomes)
        self._record(number, began, turn, completion, outcomes, refined)
        return self._ending(turn, outcomes)

    async def open(self) -> None:
        """The step no model is needed for: search the question itself, read the best results."""
        number, began = self._begin()
        searched = await self._call(number, [Call("search", {"query": [self._task]})])
        best = [str(n) for n, _ in self._actions.unread()[: self._profile.notes.pages]]
        reads = [Call("fetch_url", {"url": [n], "purpose": self._task}) for n in best]
        outcomes = searched + await self._call(number, reads, first=1)
        refined = await self._refine(number, outcomes)
        self._record(number, began, Turn(), NO_COMPLETION, outcomes, refined)

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof, drawn from the evidence when the model wrote none."""
        if ending.answer:
            work = self._answerer.support(self._task, ending.answer, self._evidence)
        else:
            work = self._answerer.extract(self._task, self._evidence)
        answer = await asyncio.wait_for(work, max(self._budget.answer_s, 1.0))
        self._budget.add(answer.completion.done.usage)
        return answer

    @property
    def evidence(self) -> Evidence:
        return self._evidence

    def _begin(self) -> tuple[int, float]:
        number = self._budget.next_step()
        self._emit(StepStarted(number))
        return number, time.monotonic()

    async def _think(self, number: int) -> Completion:
        """One turn of the model, told while it is written."""
        thought, text, calls, done = "", "", list[ToolCall](), NO_COMPLETION.done
        async for event in self._chat.stream(self._next_prompt()):
            if isinstance(event, Thought):
                thought += event.text
                self._emit(ThoughtDelta(number, event.text))
            elif isinstance(event, Text):
                text += event.text
                self._emit(TextDelta(number, event.text))
            elif isinstance(event, ToolCall):
                calls.append(event)
            else:
                done = event
        self._budget.add(done.usage)
        return Completion(text, thought, tuple(calls), done)

    def _next_prompt(self) -> Prompt:
        fresh = self._fresh or self._transcript.is_crowded(self._profile.turn_tokens)
        self._fresh = False
        if not fresh:
            try:
                return self._transcript.go_on(self._request(()))
            except ContextOverflow:
                pass  # one observation was larger than the room left: fold
        return self._transcript.start(self._request(self._known()))

    def _request(self, notes: Sequence[str]) -> ChatRequest:
        unread = [n for n, _ in self._actions.unread()][:30]
        now = Situation(unread, len(self._evidence) > 0, self._budget.steps_left)
        messages = self._dialect.opening(self._task, "\n\n".join(notes))
        request = self._dialect.request(messages, now)
        limit = min(request.max_tokens or self._budget.tokens_left, self._budget.tokens_left)
        return replace(request, max_tokens=max(1, limit))

    def _known(self) -> list[str]:
        """What a transcript that starts over is told: the closest facts, and what is unread."""
        facts = as_text(self._answerer.closest(self._task, self._evidence))
        unread = self._actions.describe_unread()
        return [part for part in (facts, unread) if part]

    async def _act(self, number: int, turn: Turn) -> list[Outcome]:
        return await self._call(number, turn.calls)

    async def _call(self, number: int, calls: Sequence[Call], first: int = 0) -> list[Outcome]:
        for i, call in enumerate(calls, first):
            self._emit(ToolCalled(number, i, call.tool, dict(call.arguments)))
        outcomes = await self._actions.run_all(calls)
        for i, outcome in enumerate(outcomes, first):
            action = outcome.action
            self._emit(ToolReturned(number, i, action.tool, action.result, action.error))
        self._budget.add(Usage(), tool_calls=len(calls))
        return outcomes

    async def _refine(self, number: int, outcomes: Sequence[Outcome]) -> list[list[Refined]]:
        """The notes of every outcome's pages, all pages of the turn at once."""
        refined = await asyncio.gather(
            *(
                self._refiner.refine_all(o.pages, o.purpose, self._task, self._evidence)
                for o in outcomes
            )
        )
        for one in (one for group in refined for one in group):
            self._emit(NoteTaken(number, one.note))
            if one.completion is not None:
                self._budget.add(one.completion.done.usage)
        return list(refined)

    def _record(
        self,
        number: int,
        began: float,
        turn: Turn,
        completion: Completion,
        outcomes: Sequence[Outcome],
        refined: Sequence[Sequence[Refined]],
    ) -> None:
        notes = [[one.note for one in group] for group in refined]
        texts = [_observation(o, group) for o, group in zip(outcomes, notes, strict=True)]
        replies = self._dialect.reply(completion, texts or [turn.error or ""])
        self._transcript.add(completion, replies)
        usage = completion.done.usage
        step = Step(
            number=number,
            thought=turn.thought,
            text=turn.text,
            actions=tuple(outcome.action for outcome in outcomes),
            notes=tuple(note for group in notes for note in group),
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=round(time.monotonic() - began, 3),
        )
        self._record_step(step)

    def _ending(self, turn: Turn, outcomes: Sequence[Outcome]) -> Ending | None:
        """Whether the run is over after this turn: answered, or going nowhere."""
        if turn.wants_answer:
            return Ending("answered", turn.answer)
        self._errors = self._errors + 1 if turn.error else 0
        self._repeats = self._repeats + 1 if outcomes and all(o.repeated for o in outcomes) else 0
        failed = outcomes and all(o.action.error for o in outcomes) and not len(self._evidence)
        self._failures = self._failures + 1 if failed else 0
        if self._errors >= MOST_ERRORS:
            return Ending("format_error")
        if self._failures >= MOST_FAILURES:
            return Ending("tool_failed")
        return Ending("repetition") if self._repeats >= MOST_REPEATS else None


def _observation(outcome: Outcome, notes: Sequence[Note]) -> str:
    parts = [outcome.text, *(note.text or f"Nothing useful on “{note.title}”." for note in notes)]
    return "\n".join(part for part in parts if part)
