"""What an arm without an agent says to the model in one try, and the record of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from edge_agent.agent.records import Action, Note, Reason, Run, RunUsage, Status, Step
from edge_agent.chat.messages import Chat, ChatRequest, Completion
from edge_agent.engine.params import Usage


class Talk:
    """Adds up to a `Run`, as the agent's does, so that all arms are measured alike."""

    def __init__(self, chat: Chat, task: str) -> None:
        self._chat = chat
        self._task = task
        self._began = time.monotonic()
        self._created_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._steps: list[Step] = []
        self._usage = Usage()
        self._computed = 0  # tokens of the conversation that were computed once already
        self._reprefilled = 0

    async def ask(self, request: ChatRequest) -> Completion:
        """One generation: a step of the record. Raises what the chat does."""
        began = time.monotonic()
        completion = await self._chat.complete(self._chat.prepare(request))
        usage = completion.done.usage
        self._count(usage)
        step = Step(
            number=len(self._steps) + 1,
            thought=completion.thought,
            text=completion.text,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=round(time.monotonic() - began, 3),
        )
        self._steps.append(step)
        return completion

    def _count(self, usage: Usage) -> None:
        fresh = max(usage.prompt_tokens - self._computed, 0)
        computed = usage.prompt_tokens - usage.cached_tokens
        self._reprefilled += max(computed - fresh, 0)
        self._computed = usage.prompt_tokens + usage.completion_tokens
        self._usage = self._usage + usage

    def did(self, actions: Sequence[Action], notes: Sequence[Note] = ()) -> None:
        """What was done after the last generation; before the first it is a step of its own."""
        step = self._steps.pop() if self._steps else Step(1)
        self._steps.append(
            replace(step, actions=(*step.actions, *actions), notes=(*step.notes, *notes))
        )

    def failed(self, error: str) -> None:
        """Nothing could be made of the last generation, and why."""
        self._steps.append(replace(self._steps.pop(), error=error))

    def run(
        self,
        answer: str,
        reason: Reason = "answered",
        status: Status = "completed",
        forced: bool = False,
    ) -> Run:
        """The whole of it."""
        return Run(
            id=f"try_{secrets.token_hex(8)}",
            task=self._task,
            model=self._chat.name,
            status=status,
            reason=reason,
            answer=answer,
            citations=(),
            steps=tuple(self._steps),
            usage=self._summed(),
            created_at=self._created_at,
            forced=forced,
        )

    def _summed(self) -> RunUsage:
        return RunUsage(
            prompt_tokens=self._usage.prompt_tokens,
            cached_tokens=self._usage.cached_tokens,
            completion_tokens=self._usage.completion_tokens,
            tool_calls=sum(len(step.actions) for step in self._steps),
            seconds=round(time.monotonic() - self._began, 3),
            reprefilled_tokens=self._reprefilled,
        )
