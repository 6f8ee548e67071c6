"""The agent itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_agent.agent.records import Agent, Citation, Task
from edge_agent.eval.question import Question
from edge_agent.eval.trial import Trial

Stored = Callable[[str], str | None]
"""The text of the page that was read at a URL last, or None."""


class AgentArm:
    """One run a try. `task` has the limits and whatever else every run is given."""

    name = "agent"

    def __init__(self, agent: Agent, task: Task, stored: Stored) -> None:
        self._agent = agent
        self._task = task
        self._stored = stored

    async def answer(self, question: Question) -> Trial:
        run = await self._agent.run(replace(self._task, task=question.question))
        return Trial(run, sum(self._stands(citation) for citation in run.citations))

    def _stands(self, citation: Citation) -> bool:
        text = self._stored(citation.url) or ""
        return bool(citation.quote.strip()) and citation.quote in text
