"""The explore loop: think, act, refine, record, until there is an answer or a budget ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_agent.agent.answer.answer import Answer, Answering
from edge_agent.agent.explore.acting import Acting
from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.asking import Asking
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.conclusion import Conclusion
from edge_agent.agent.explore.ending import Ending, Patience
from edge_agent.agent.explore.hops import Hop, Hops
from edge_agent.agent.explore.opening import opening, resumed
from edge_agent.agent.explore.outcome import Outcome, pages_of, purpose_of
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.scout import Scout
from edge_agent.agent.explore.thinker import Thinker, Thinking
from edge_agent.agent.explore.turn import FETCH, Call, Dialect, Turn
from edge_agent.agent.explore.upshot import Upshot
from edge_agent.agent.memory.memory import Memory
from edge_agent.agent.records import Note, NoteTaken, RunEvent, Step, StepStarted, ThoughtDelta
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.refiner import Refined, Refiner
from edge_agent.agent.state import RunState
from edge_agent.chat.messages import Chat

LEAST_STEPS = 2  # with no more the task is asked as it stands, and not in hops
LAST_READS = 3  # unread results that are read when a budget ends before anything was read


class Explorer:
    """One run. `emit` hears everything that happens; `record` keeps each step.

    evidence: also the window's. scout: see `Acting`. hops: None asks the task as it stands.
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
        window: Memory,
        scout: Scout | None = None,
        hops: Hops | None = None,
    ) -> None:
        self._task = task
        self._profile = profile
        self._dialect = dialect
        self._trail = trail = actions.trail
        self._refiner = refiner
        self._budget = budget
        self._emit = emit
        self._keep = record
        self._evidence = evidence
        self._window = window
        self._is_followed = scout is not None
        self._asking = Asking(task, dialect, actions, budget, evidence, window)
        self._thinker = Thinker(chat, dialect, budget, emit, self._is_repeat, profile.retries)
        self._acting = Acting(task, actions, scout, budget, emit)
        encourages = profile.tells_budget
        self._conclusion = Conclusion(task, answerer, evidence, trail, budget, encourages)
        self._patience = Patience()
        self._hops = hops if budget.steps_left > LEAST_STEPS else None
        self._given = opening(task, profile)  # the next turn, if it is not the model's
        trail.provenance.give(task)

    def restore(self, state: RunState) -> None:
        """Go on behind the last recorded step of a run that was cut off while it explored."""
        self._budget.restore(state.usage, len(state.steps))
        for fact in state.facts:
            self._evidence.add(fact.page, [Passage(fact.position, fact.text, fact.context)])
        self._evidence.mark(state.marked)
        self._trail.restore(state)
        for step in state.steps:
            self._patience.judge(step.error, step.actions, bool(len(self._evidence)))
        if not self._has_hops_only(state):
            self._given = resumed(state, self._given)

    def _has_hops_only(self, state: RunState) -> bool:
        """Whether the run was cut off before its opening; its hops stand where they stood then."""
        if self._hops is None:
            return False
        n_hops = self._hops.restore(state.steps, self._evidence)
        # the task is much like its first hop, and no repetition of it
        self._trail.guard.forget_queries([step.thought for step in state.steps[:n_hops]])
        return self._hops.goes_on or (0 < n_hops == len(state.steps) and not state.pending)

    async def explore(self) -> Ending:
        """Steps until the model answers, a budget ends, or nothing moves any more."""
        try:
            ending = await asyncio.wait_for(self._steps(), max(self._budget.explore_s, 0))
        except asyncio.TimeoutError:
            ending = self._conclusion.candidate or Ending("time_limit")
        if ending.forced and not len(self._evidence):
            await self._read_at_last()
        return ending

    async def _steps(self) -> Ending:
        while (limit := self._budget.exhausted()) is None:
            ending = await self.step()
            if ending is not None:
                return ending
        return Ending(limit)

    async def step(self) -> Ending | None:
        """Think, act, refine, record."""
        if self._hops is not None and self._hops.goes_on:
            return await self._hop(self._hops)
        number, began = self._begin()
        thinking = await self._think(number)
        outcomes = await self._acting.act(number, thinking.turn.calls)
        notes = await self._refine(number, outcomes)
        objection = await self._conclusion.review(thinking.turn.answer)
        upshot = Upshot(number, thinking, tuple(outcomes), notes, objection)
        self._record(upshot, time.monotonic() - began)
        return await self._ending(upshot)

    async def _hop(self, hops: Hops) -> Ending | None:
        """The same where nothing has to be thought: the next question of several is known."""
        number, began = self._begin()
        turn, name = hops.turn, hops.about
        self._emit(ThoughtDelta(number, turn.thought))
        outcomes = await self._acting.look_up(number, turn.calls, name)
        notes = self._noted(number, await hops.refine(pages_of(outcomes), self._evidence))
        hop = await self._found(hops)
        thinking = Thinking(replace(turn, text=hop.found), given=True)
        self._record(Upshot(number, thinking, tuple(outcomes), notes), time.monotonic() - began)
        return self._conclusion.of(hop.answer) if hop.answer else None

    async def _found(self, hops: Hops) -> Hop:
        if not len(self._evidence):
            hops.give_up()
            return Hop()
        drawn = await hops.answer(self._evidence)
        self._budget.add(drawn.completion.done.usage)
        return hops.take(drawn)

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof. Raises asyncio.TimeoutError when the time is over."""
        return await self._conclusion.answer(ending)

    @property
    def evidence(self) -> Evidence:
        return self._evidence

    @property
    def tried(self) -> tuple[str, ...]:
        """What was searched and read, in words, for an honest "not found"."""
        return self._trail.tried

    # one step

    def _begin(self) -> tuple[int, float]:
        number = self._budget.next_step()
        self._emit(StepStarted(number))
        return number, time.monotonic()

    async def _think(self, number: int) -> Thinking:
        """The turn that is given, else the model's."""
        given, self._given = self._given, None
        if given is not None:
            return Thinking(given, given=True)
        thinking = await self._thinker.think(number, await self._asking.next_prompt())
        self._evidence.mark(thinking.turn.facts)
        return thinking

    def _is_repeat(self, call: Call) -> bool:
        return self._profile.retries_repeats and self._trail.is_repeat(call)

    async def _refine(self, number: int, outcomes: Sequence[Outcome]) -> tuple[Note, ...]:
        """The notes of all pages of the turn."""
        pages, purpose = pages_of(outcomes), purpose_of(outcomes)
        if not pages:
            return ()
        refined = await self._refiner.refine(pages, purpose, self._task, self._evidence)
        return self._noted(number, refined)

    def _noted(self, number: int, refined: Refined) -> tuple[Note, ...]:
        for note in refined.notes:
            self._emit(NoteTaken(number, note))
        if refined.completion is not None:
            self._budget.add(refined.completion.done.usage)
        return refined.notes

    def _record(self, upshot: Upshot, seconds: float) -> None:
        """Put what came of the turn into the transcript, then into the record."""
        left = self._budget.told() if self._profile.tells_budget else ""
        texts, items = upshot.told(left)
        completion = upshot.thinking.completion
        self._window.add(completion, self._dialect.reply(completion, texts), items)
        self._budget.note_prefills(self._window.reprefilled_tokens, self._window.folds)
        self._keep(upshot.step(seconds))

    # endings

    async def _ending(self, upshot: Upshot) -> Ending | None:
        """Whether the run is over after this turn: answered, or going nowhere."""
        turn, is_opening = upshot.thinking.turn, upshot.thinking.given and upshot.number == 1
        if upshot.objection or (is_opening and not self._is_followed):  # a mere opening search
            return None
        if turn.answer:
            return self._conclusion.candidate
        if self._profile.checks and (proven := await self._conclusion.proven()):
            return proven
        actions = [outcome.action for outcome in upshot.outcomes]
        self._patience.judge(turn.error, actions, bool(len(self._evidence)))
        spent = self._patience.spent
        return Ending(spent) if spent else None

    async def _read_at_last(self) -> None:
        """A budget ended before anything was read: the best results are, so as to answer from."""
        urls = [hit.url for _, hit in self._trail.unread()[:LAST_READS]]
        if not urls or not self._profile.hits:
            return
        if self._hops is not None:
            self._hops.give_up()
        self._given = Turn(calls=(Call(FETCH, {"url": urls, "purpose": self._task}),))
        try:
            await asyncio.wait_for(self.step(), max(self._budget.answer_s / 2, 0))
        except asyncio.TimeoutError:
            return
