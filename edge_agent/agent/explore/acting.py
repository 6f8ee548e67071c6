"""The calls of a step: told when they are made, told what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.outcome import Outcome, pages_of, purpose_of
from edge_agent.agent.explore.scout import Scout
from edge_agent.agent.explore.turn import SEARCH, Call
from edge_agent.agent.records import RunEvent, ToolCalled, ToolReturned
from edge_agent.engine.params import Usage


class Acting:
    """Carries out the turns of one run.

    scout: follows the names on the pages that a turn has read, without asking the model.
    """

    def __init__(
        self,
        task: str,
        actions: Actions,
        scout: Scout | None,
        budget: Budget,
        emit: Callable[[RunEvent], None],
    ) -> None:
        self._task = task
        self._actions = actions
        self._scout = scout
        self._budget = budget
        self._emit = emit

    async def act(self, step: int, calls: Sequence[Call]) -> list[Outcome]:
        """All calls of a turn at once, then the searches that their pages lead to as one more."""
        self._tell_calls(step, 0, calls)
        outcomes = await self._actions.run_all(calls)
        self._tell_outcomes(step, 0, outcomes)
        if queries := await self._leads(outcomes):
            outcomes += await self._follow(step, len(outcomes), queries)
        return outcomes

    async def look_up(self, step: int, calls: Sequence[Call], name: str) -> list[Outcome]:
        """Calls that search for a name, of which the pages about it are read."""
        self._tell_calls(step, 0, calls)
        outcomes = [await self._actions.look_up(call, name) for call in calls]
        self._tell_outcomes(step, 0, outcomes)
        return outcomes

    async def _leads(self, outcomes: Sequence[Outcome]) -> list[str]:
        """What to search because of the pages of the turn."""
        pages = pages_of(outcomes)
        if self._scout is None or not pages:
            return []
        purpose = purpose_of(outcomes)
        wanted = purpose if self._task in purpose else f"{purpose} {self._task}".strip()
        return await asyncio.to_thread(self._scout.queries, wanted, pages)

    async def _follow(self, step: int, place: int, queries: list[str]) -> list[Outcome]:
        self._tell_calls(step, place, [Call(SEARCH, {"query": queries})])
        outcomes = [await self._actions.follow(queries)]
        self._tell_outcomes(step, place, outcomes)
        return outcomes

    def _tell_calls(self, step: int, place: int, calls: Sequence[Call]) -> None:
        for i, call in enumerate(calls, place):
            self._emit(ToolCalled(step, i, call.tool, dict(call.arguments)))

    def _tell_outcomes(self, step: int, place: int, outcomes: Sequence[Outcome]) -> None:
        for i, outcome in enumerate(outcomes, place):
            action = outcome.action
            self._emit(ToolReturned(step, i, action.tool, action.result, action.error))
        self._budget.add(Usage(), tool_calls=len(outcomes))
