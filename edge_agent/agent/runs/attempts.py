"""A run of several attempts: rollouts that are voted on, and fresh starts after a failed check.

After a crash they begin anew with the same seeds. What their tools returned is in the journal, so
no call is made twice; what the model wrote is written again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.loop import Explorer
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.records import (
    Answered,
    Rollout,
    RolloutEnded,
    RunEvent,
    RunStarted,
    Step,
    TextDelta,
    ThoughtDelta,
)
from edge_agent.agent.rollouts.attempt import Attempt
from edge_agent.agent.rollouts.handover import Handover
from edge_agent.agent.rollouts.rollouts import Outcome, Rollouts
from edge_agent.agent.runs.calls import CallBook
from edge_agent.agent.runs.kit import Kit
from edge_agent.agent.runs.work import Work
from edge_agent.agent.state import RunState

SEED = 1  # of the first rollout


class Attempts:
    """Carries out the task of `work`; what each attempt spends is part of `budget`."""

    def __init__(self, kit: Kit, work: Work, budget: Budget, book: CallBook) -> None:
        self._kit = kit
        self._work = work
        self._budget = budget
        self._tools = book.recorded(kit.tools(work.task))

    async def run(self) -> Outcome:
        """The outcome of them all. Raises the first error when there was nothing else."""
        task = self._work.task
        left = replace(task.limits, seconds=max(self._budget.answer_s, 1.0))
        task = replace(task, task=self._work.question, limits=left)
        at_once = self._kit.rollouts_at_once
        return await Rollouts(task, self._explorer, at_once, SEED, self._ended).run()

    def _explorer(self, attempt: Attempt) -> Explorer:
        profile = _checking(self._kit.profile)
        chat = attempt.seeded(self._kit.chat, profile.sampling)
        kit = replace(self._kit, chat=chat, profile=profile)
        explorer = kit.explorer(
            self._work.question,
            self._tools,
            self._budget.part(attempt.limits),
            self._teller(attempt),
            lambda step: self._record(attempt, step),
            _preface(attempt.handover),
        )
        given = attempt.handover.state() if attempt.handover else self._given()
        explorer.restore(given)
        return explorer

    def _given(self) -> RunState:
        """What a follow-up begins with; the rest of the state is of attempts that begin anew."""
        state = self._work.state
        return RunState(facts=state.facts, marked=state.marked, hits=state.hits)

    def _teller(self, attempt: Attempt) -> Callable[[RunEvent], None]:
        """Tells what a lone rollout does; several at once would be a tangle of steps."""
        journal = self._work.journal

        def tell(event: RunEvent) -> None:
            if isinstance(event, RunStarted | RolloutEnded | Answered):
                raise TypeError("an explorer tells of steps only")
            numbered = replace(event, step=event.step + attempt.steps_before)
            if isinstance(event, TextDelta | ThoughtDelta):
                journal.tell(numbered)
            else:
                journal.write_event(numbered)

        return tell if self._work.task.n == 1 else lambda event: None

    def _record(self, attempt: Attempt, step: Step) -> None:
        attempt.record(step)
        spent = {"marked": [], "usage": asdict(self._budget.usage())}
        self._work.journal.write("spent", spent)

    def _ended(self, rollout: Rollout) -> None:
        self._work.journal.write_event(RolloutEnded(rollout))


def _checking(profile: Profile) -> Profile:
    """A vote weighs answers by their checks, and a failed check is why an attempt begins afresh."""
    return replace(profile, verifies="checks") if profile.verifies == "no" else profile


def _preface(handover: Handover | None) -> str:
    return handover.text() if handover else ""
