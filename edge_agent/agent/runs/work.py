"""A run that is in this service's hands: what it is, where it stands, and its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Run, Task
from edge_agent.agent.runs.journal import RunJournal
from edge_agent.agent.state import RunState


@dataclass(frozen=True, slots=True)
class Earlier:
    """A question that a follow-up follows, and its answer."""

    task: str
    answer: str


@dataclass(slots=True)
class Work:
    """made: calls since the last recorded step that are not to be made again.

    earlier: what a follow-up follows, oldest first. background: it goes on when nobody waits for
    it. cuts: how often it was cut off since its last step. read: addresses that were read before it
    was cut off, and the ids of their pages. run: what it came to, None until then.
    """

    id: str
    task: Task
    model: str
    created_at: str
    journal: RunJournal
    state: RunState = field(default_factory=RunState)
    made: tuple[Mapping[str, Any], ...] = ()
    earlier: tuple[Earlier, ...] = ()
    background: bool = True
    cuts: int = 0
    read: Mapping[str, str] = field(default_factory=dict)
    run: Run | None = None

    @property
    def question(self) -> str:
        """What is explored: a follow-up's words mean little without what they follow."""
        if not self.earlier:
            return self.task.task
        lines = [f"- {earlier.task} {earlier.answer}" for earlier in self.earlier]
        return prompt("follow_up").format(task=self.task.task, earlier="\n".join(lines))
