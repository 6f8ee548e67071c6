"""What the model is asked each turn: by the dialect, within what the run has left."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.turn import RECALL, Dialect
from edge_agent.agent.memory.memory import Memory
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.chat.messages import ChatRequest, Prompt


class Asking:
    """Makes the prompt of each turn of one run."""

    def __init__(
        self,
        task: str,
        dialect: Dialect,
        actions: Actions,
        budget: Budget,
        evidence: Evidence,
        window: Memory,
    ) -> None:
        self._task = task
        self._dialect = dialect
        self._actions = actions
        self._budget = budget
        self._evidence = evidence
        self._window = window

    async def next_prompt(self) -> Prompt:
        """Raises ContextOverflow when not even the task fits."""
        return await self._window.next_prompt(self._request)

    def _request(self, notes: str) -> ChatRequest:
        """The request for the next turn of a conversation that begins with these notes."""
        unread = self._actions.describe_unread()
        known = "\n\n".join(part for part in (notes, unread) if part)
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
