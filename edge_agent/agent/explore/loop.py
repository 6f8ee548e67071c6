"""The explore loop: think, act, refine, record, until there is an answer or a budget ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edge_agent.agent.answer.answer import Answer, Answering
from edge_agent.agent.answer.wording import is_missing
from edge_agent.agent.explore.actions import Actions, Outcome
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.ending import Ending, Patience
from edge_agent.agent.explore.found import urls_in
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.scout import Scout
from edge_agent.agent.explore.thinker import Thinker, Thinking
from edge_agent.agent.explore.turn import Call, Dialect, Turn
from edge_agent.agent.explore.window import Window
from edge_agent.agent.memory.items import Item, nothing_on, observed, of_facts
from edge_agent.agent.records import (
    Citation,
    Note,
    NoteTaken,
    RunEvent,
    Step,
    StepStarted,
    ToolCalled,
    ToolReturned,
)
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.refiner import Refined, Refiner
from edge_agent.agent.state import RunState
from edge_agent.chat.messages import Chat, ChatRequest
from edge_agent.engine.params import Usage

RECALL = "recall"  # the tool that shows folded facts again
LAST_READS = 3  # unread results that are read when a budget ends before anything was read
MOST_REVIEWS = 2  # answers of a run that are sent back
GIVES_UP = "Do not give up yet: search with other words, or read another result."
NO_NOTES = Refined()


class Explorer:
    """One run. `emit` hears everything that happens; `record` keeps each step.

    evidence: also the window's. scout: follows the names on the pages that a turn has read, before
    they are refined.
    """

    def __init__(
        self,
        task: str,
        chat: Chat,
        profile: Profile,
        dialect: Dialect,
        actions: Actions,
        refiner: Refiner,
        answerer: Answering,
        budget: Budget,
        emit: Callable[[RunEvent], None],
        record: Callable[[Step], None],
        evidence: Evidence,
        window: Window,
        scout: Scout | None = None,
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
        self._thinker = Thinker(chat, dialect, budget, emit, self._is_repeat, profile.retries)
        self._evidence = evidence
        self._window = window
        self._scout = scout
        self._patience = Patience()
        self._reviews = 0
        self._candidate: Ending | None = None  # an answer that is being reviewed
        self._given: Turn | None = None  # what the first step does, without asking the model
        self._over: Ending | None = None
        self._actions.provenance.give(task)
        if profile.opens_with_search:
            self._given = Turn(calls=tuple(self._opening_calls()))

    def restore(self, state: RunState) -> None:
        """Go on behind the last recorded step of a run that was cut off."""
        self._budget.restore(state.usage, len(state.steps))
        for fact in state.facts:
            self._evidence.add(fact.page, [Passage(fact.position, fact.text, fact.context)])
        self._evidence.mark(state.marked)
        self._actions.restore(state)
        for step in state.steps:
            self._patience.judge(step.error, step.actions, bool(len(self._evidence)))
        if state.steps or state.queries:  # the question was searched
            self._given = None
        if state.pending is not None:
            calls = (Call(call.tool, call.arguments) for call in state.pending.calls)
            self._given = Turn(state.pending.thought, state.pending.text, tuple(calls))
        self._over = Ending(state.reason, state.answer) if state.reason else None

    async def explore(self) -> Ending:
        """Steps until the model answers, a budget ends, or nothing moves any more."""
        try:
            ending = await asyncio.wait_for(self._steps(), max(self._budget.explore_s, 0))
        except asyncio.TimeoutError:
            ending = self._candidate or Ending("time_limit")
        if ending.forced and not len(self._evidence):
            await self._read_at_last()
        return ending

    async def _steps(self) -> Ending:
        while True:
            limit = self._budget.exhausted()
            ending = self._over or (Ending(limit) if limit else await self.step())
            if ending is not None:
                return ending

    async def step(self) -> Ending | None:
        """Think (unless the turn is given), act, refine, record."""
        number, began = self._begin()
        given, self._given = self._given, None
        thinking = Thinking(given) if given else await self._think(number)
        outcomes = await self._act(number, thinking.turn)
        outcomes += await self._follow(number, outcomes)
        refined = await self._refine(number, outcomes)
        feedback = await self._review(thinking.turn)
        self._record(number, began, thinking, outcomes, refined, feedback)
        if feedback or (given and number == 1 and not self._scout):  # a mere opening search
            return None
        return await self._ending(thinking.turn, outcomes)

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof, drawn from the evidence when there is none yet."""
        if ending.drawn is not None:
            return ending.drawn
        known = self._actions.named(self._task)
        work = (
            self._answerer.support(self._task, ending.answer, self._evidence, known)
            if ending.answer
            else self._answerer.extract(self._task, self._evidence)
        )
        answer = await asyncio.wait_for(work, max(self._budget.answer_s, 1.0))
        self._budget.add(answer.completion.done.usage)
        return self._without_guesses(answer)

    def _without_guesses(self, answer: Answer) -> Answer:
        """What stands at an address that the model made up proves nothing."""

        def sound(cited: Sequence[Citation]) -> tuple[Citation, ...]:
            return tuple(c for c in cited if not self._actions.provenance.is_guessed(c.url))

        claims = (replace(claim, citations=sound(claim.citations)) for claim in answer.claims)
        return replace(answer, citations=sound(answer.citations), claims=tuple(claims))

    @property
    def evidence(self) -> Evidence:
        return self._evidence

    @property
    def tried(self) -> tuple[str, ...]:
        """What was searched and read, in words, for an honest "not found"."""
        return self._actions.tried

    # one step

    def _opening_calls(self) -> Iterator[Call]:
        """Read what the task names, and search the question itself."""
        if urls := urls_in(self._task):
            yield Call("fetch_url", {"url": urls, "purpose": self._task})
        yield Call("search", {"query": [self._task]})

    def _is_repeat(self, call: Call) -> bool:
        return self._profile.retries_repeats and self._actions.is_repeat(call)

    def _begin(self) -> tuple[int, float]:
        number = self._budget.next_step()
        self._emit(StepStarted(number))
        return number, time.monotonic()

    async def _think(self, number: int) -> Thinking:
        return await self._thinker.think(number, await self._window.next_prompt(self._request))

    def _request(self, notes: str) -> ChatRequest:
        """The request for the next turn of a conversation that begins with these notes."""
        known = "\n\n".join(part for part in (notes, self._actions.describe_unread()) if part)
        messages = self._dialect.opening(self._task, known)
        request = self._with_recall(self._dialect.request(messages, len(self._evidence)))
        most = self._budget.turn_tokens(request.max_tokens)
        thought = self._budget.thought_tokens(request.thinking_budget, most)
        return replace(request, max_tokens=most, thinking_budget=thought)

    def _with_recall(self, request: ChatRequest) -> ChatRequest:
        """A model that calls tools may recall facts once some were folded; before that it is told
        of the tools it was trained on and no other."""
        recall = self._actions.spec(RECALL)
        if recall is None or not request.tools or not self._window.folds:
            return request
        return replace(request, tools=(*request.tools, recall))

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

    async def _follow(self, number: int, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Read on at the names that the pages of the turn point to."""
        pages = [page for outcome in outcomes for page in outcome.pages]
        if self._scout is None or not pages:
            return []
        purpose = _purpose(outcomes)
        wanted = purpose if self._task in purpose else f"{purpose} {self._task}".strip()
        queries = await asyncio.to_thread(self._scout.queries, wanted, pages)
        if not queries:
            return []
        place, arguments = len(outcomes), {"query": queries}
        self._emit(ToolCalled(number, place, "search", dict(arguments)))
        outcome = await self._actions.follow(queries)
        self._emit(
            ToolReturned(number, place, "search", outcome.action.result, outcome.action.error)
        )
        self._budget.add(Usage(), tool_calls=1)
        return [outcome]

    async def _refine(self, number: int, outcomes: Sequence[Outcome]) -> Refined:
        """The notes of all pages of the turn."""
        pages = [page for outcome in outcomes for page in outcome.pages]
        refined = NO_NOTES
        if pages:
            purpose = _purpose(outcomes)
            refined = await self._refiner.refine(pages, purpose, self._task, self._evidence)
        for note in refined.notes:
            self._emit(NoteTaken(number, note))
        if refined.completion is not None:
            self._budget.add(refined.completion.done.usage)
        return refined

    async def _review(self, turn: Turn) -> str | None:
        """What speaks against the answer of a turn, while there is room for another."""
        if not turn.answer:
            return None
        self._candidate = Ending("answered", turn.answer)
        if len(self._evidence) and not is_missing(turn.answer):
            drawn = await self.answer(self._candidate)
            self._candidate = replace(self._candidate, drawn=drawn)
        feedback = self._against(self._candidate)
        if feedback and self._reviews < MOST_REVIEWS and self._budget.steps_left > 0:
            self._reviews += 1
            self._candidate = None
            return feedback
        return None

    def _against(self, ending: Ending) -> str:
        if is_missing(ending.answer):
            return GIVES_UP if self._profile.tells_budget else ""
        verdict = ending.drawn.verdict if ending.drawn else None
        return "" if verdict is None or verdict.accepted else verdict.feedback

    def _record(
        self,
        number: int,
        began: float,
        thinking: Thinking,
        outcomes: Sequence[Outcome],
        refined: Refined,
        feedback: str | None,
    ) -> None:
        turn, completion = thinking.turn, thinking.completion
        self._reply(thinking, outcomes, refined, feedback)
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
            error=turn.error,
            retries=thinking.retries,
        )
        self._record_step(step)

    def _reply(
        self,
        thinking: Thinking,
        outcomes: Sequence[Outcome],
        refined: Refined,
        feedback: str | None,
    ) -> None:
        """Put what came of the turn, and what is left of the budgets, into the transcript."""
        texts = [_observation(outcome, refined.notes) for outcome in outcomes]
        items = [item for outcome in outcomes for item in _items(outcome, refined.notes)]
        if not outcomes:
            texts = [feedback or thinking.turn.error or ""]
            items = [Item("nudge", texts[0])] if texts[0] else []
        if self._profile.tells_budget and (left := self._budget.told()):
            texts[-1] = f"{texts[-1]}\n\n{left}".strip()
            items.append(Item("nudge", left))
        replies = self._dialect.reply(thinking.completion, texts)
        self._window.add(thinking.completion, replies, items)
        self._budget.note_prefills(self._window.reprefilled_tokens, self._window.folds)

    # endings

    async def _ending(self, turn: Turn, outcomes: Sequence[Outcome]) -> Ending | None:
        """Whether the run is over after this turn: answered, or going nowhere."""
        if turn.answer:
            return self._candidate
        if self._profile.checks and len(self._evidence):
            drawn = await self.answer(Ending("answered"))
            if drawn.holds(self._task):
                return Ending("answered", drawn=drawn)
        actions = [outcome.action for outcome in outcomes]
        self._patience.judge(turn.error, actions, bool(len(self._evidence)))
        spent = self._patience.spent
        return Ending(spent) if spent else None

    async def _read_at_last(self) -> None:
        """A budget ended before anything was read: the best results are, so as to answer from."""
        urls = [hit.url for _, hit in self._actions.unread()[:LAST_READS]]
        if not urls or not self._profile.hits:
            return
        self._given = Turn(calls=(Call("fetch_url", {"url": urls, "purpose": self._task}),))
        try:
            await asyncio.wait_for(self.step(), max(self._budget.answer_s / 2, 0))
        except asyncio.TimeoutError:
            return


def _observation(outcome: Outcome, notes: Sequence[Note]) -> str:
    """What the model reads of a call: its text, and the notes of its pages."""
    noted = (note.text or nothing_on(note.title) for note in _own(outcome, notes))
    return "\n".join(part for part in (outcome.text, *noted) if part)


def _items(outcome: Outcome, notes: Sequence[Note]) -> tuple[Item, ...]:
    """The same as the memory knows it."""
    if outcome.action.tool == RECALL:
        return tuple(of_facts(outcome.text))
    failed = outcome.action.error is not None
    return observed(outcome.text, _own(outcome, notes), outcome.repeated, failed)


def _purpose(outcomes: Sequence[Outcome]) -> str:
    """What a turn has read pages for."""
    purposes = (outcome.purpose for outcome in outcomes if outcome.pages)
    return " ".join(dict.fromkeys(filter(None, purposes)))


def _own(outcome: Outcome, notes: Sequence[Note]) -> list[Note]:
    urls = {page.url for page in outcome.pages}
    return [note for note in notes if note.url in urls]
