"""The explore loop: think, act, refine, record, until there is an answer or a budget ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_agent.agent.answer.answerer import Answer, Answerer, echoes, is_missing
from edge_agent.agent.explore.actions import Actions, Call, Outcome
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.dialect import Dialect, Turn
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.memory.transcript import Transcript
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
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.refiner import Refined, Refiner
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

MOST_REPEATS = 3  # turns in a row that only repeat
MOST_ERRORS = 3  # turns in a row that nothing can be made of
MOST_FAILURES = 3  # turns in a row whose every call failed, before anything was found
URL = re.compile(r"https?://[^\s<>\"'”]+")
NO_COMPLETION = Completion("", "", (), Done("stop", Usage()))


@dataclass(frozen=True, slots=True)
class Ending:
    """How exploring ended.

    answer: what the model wrote as its answer itself. drawn: an answer that was drawn from the
    evidence already.
    """

    reason: Reason
    answer: str = ""
    drawn: Answer | None = None


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
            await self.step(Turn(calls=tuple(self._opening_calls())))
        while True:
            limit = self._budget.exhausted()
            ending = Ending(limit) if limit else await self.step()
            if ending is not None:
                return ending

    def _opening_calls(self) -> Iterator[Call]:
        """Read what the task names, and search the question itself."""
        urls = [url.rstrip(".,;:!?)") for url in URL.findall(self._task)]
        if urls:
            yield Call("fetch_url", {"url": urls, "purpose": self._task})
        yield Call("search", {"query": [self._task]})

    async def step(self, given: Turn | None = None) -> Ending | None:
        """Think (unless the turn is given), act, refine, record."""
        number, began = self._begin()
        completion = NO_COMPLETION if given else await self._think(number)
        turn = given or self._read(number, completion)
        outcomes = await self._act(number, turn)
        refined = await self._refine(number, outcomes)
        self._record(number, began, turn, completion, outcomes, refined)
        return None if given else await self._ending(turn, outcomes)

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof, drawn from the evidence when there is none yet."""
        if ending.drawn is not None:
            return ending.drawn
        work = (
            self._answerer.support(self._task, ending.answer, self._evidence)
            if ending.answer
            else self._answerer.extract(self._task, self._evidence)
        )
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
        async with contextlib.aclosing(self._chat.stream(self._next_prompt())) as events:
            async for event in events:
                if isinstance(event, Thought):
                    thought += event.text
                    self._emit(ThoughtDelta(number, event.text))
                elif isinstance(event, Text):
                    text += event.text
                    if self._dialect.writes_prose:
                        self._emit(TextDelta(number, event.text))
                elif isinstance(event, ToolCall):
                    calls.append(event)
                else:
                    done = event
        self._budget.add(done.usage)
        return Completion(text, thought, tuple(calls), done)

    def _read(self, number: int, completion: Completion) -> Turn:
        turn = self._dialect.read(completion)
        if turn.thought and not self._dialect.writes_prose:
            self._emit(ThoughtDelta(number, turn.thought))
        return turn

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
        messages = self._dialect.opening(self._task, "\n\n".join(notes))
        request = self._dialect.request(messages, len(self._evidence))
        limit = min(request.max_tokens or self._budget.tokens_left, self._budget.tokens_left)
        return replace(request, max_tokens=max(1, limit))

    def _known(self) -> list[str]:
        """What a transcript that starts over is told: the closest facts, and what is unread."""
        facts = as_text(self._answerer.closest(self._task, self._evidence))
        unread = self._actions.describe_unread()
        return [part for part in (facts, unread) if part]

    async def _act(self, number: int, turn: Turn) -> list[Outcome]:
        """All calls of the turn at once."""
        self._evidence.mark(turn.facts)
        for i, call in enumerate(turn.calls):
            self._emit(ToolCalled(number, i, call.tool, dict(call.arguments)))
        outcomes = await self._actions.run_all(turn.calls)
        for i, outcome in enumerate(outcomes):
            action = outcome.action
            self._emit(ToolReturned(number, i, action.tool, action.result, action.error))
        self._budget.add(Usage(), tool_calls=len(turn.calls))
        return outcomes

    async def _refine(self, number: int, outcomes: Sequence[Outcome]) -> Refined:
        """The notes of all pages of the turn."""
        pages = [page for outcome in outcomes for page in outcome.pages]
        purpose = " ".join(dict.fromkeys(o.purpose for o in outcomes if o.pages))
        refined = Refined()
        if pages:
            refined = await self._refiner.refine(pages, purpose, self._task, self._evidence)
        for note in refined.notes:
            self._emit(NoteTaken(number, note))
        if refined.completion is not None:
            self._budget.add(refined.completion.done.usage)
        return refined

    def _record(
        self,
        number: int,
        began: float,
        turn: Turn,
        completion: Completion,
        outcomes: Sequence[Outcome],
        refined: Refined,
    ) -> None:
        texts = [_observation(outcome, refined.notes) for outcome in outcomes]
        replies = self._dialect.reply(completion, texts or [turn.error or ""])
        self._transcript.add(completion, replies)
        usage = completion.done.usage
        step = Step(
            number=number,
            thought=turn.thought,
            text=turn.text,
            actions=tuple(outcome.action for outcome in outcomes),
            notes=refined.notes,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=round(time.monotonic() - began, 3),
        )
        self._record_step(step)

    async def _ending(self, turn: Turn, outcomes: Sequence[Outcome]) -> Ending | None:
        """Whether the run is over after this turn: answered, or going nowhere."""
        if turn.answer:
            return Ending("answered", turn.answer)
        if self._profile.checks and len(self._evidence):
            drawn = await self.answer(Ending("answered"))
            if not (is_missing(drawn.text) or echoes(self._task, drawn.text)):
                return Ending("answered", drawn=drawn)
        self._errors = self._errors + 1 if turn.error else 0
        self._repeats = self._repeats + 1 if any(o.repeated for o in outcomes) else 0
        failed = outcomes and all(o.action.error for o in outcomes) and not len(self._evidence)
        self._failures = self._failures + 1 if failed else 0
        if self._errors >= MOST_ERRORS:
            return Ending("format_error")
        if self._failures >= MOST_FAILURES:
            return Ending("tool_failed")
        return Ending("repetition") if self._repeats >= MOST_REPEATS else None


def _observation(outcome: Outcome, notes: Sequence[Note]) -> str:
    """What the model reads of a call: its text, and the notes of its pages."""
    urls = {page.url for page in outcome.pages}
    own = [note for note in notes if note.url in urls]
    parts = [outcome.text, *(note.text or f"Nothing useful on “{note.title}”." for note in own)]
    return "\n".join(part for part in parts if part)
