"""What a run may spend, what it has spent, and what is kept back for the answer."""

from __future__ import annotations

import time

from edge_agent.agent.records import Limits, Reason, RunUsage
from edge_agent.engine.params import Usage

ANSWER_SHARE = 0.2  # of the seconds, kept back so that a run always ends in an answer
ANSWER_RESERVE_S = 60.0  # at most


class Budget:
    """The clock and the counts of one run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = time.monotonic()
        self._reserve_s = min(limits.seconds * ANSWER_SHARE, ANSWER_RESERVE_S)
        self._usage = Usage()
        self._steps = 0
        self._tool_calls = 0

    @property
    def steps_left(self) -> int:
        return self._limits.steps - self._steps

    @property
    def explore_s(self) -> float:
        """Seconds left for exploring."""
        return self.answer_s - self._reserve_s

    @property
    def answer_s(self) -> float:
        """Seconds left in all."""
        return self._limits.seconds - (time.monotonic() - self._began)

    @property
    def tokens_left(self) -> int:
        return self._limits.tokens - self._usage.completion_tokens

    def exhausted(self) -> Reason | None:
        """Which limit forbids another step, if any."""
        if self.steps_left <= 0:
            return "steps_limit"
        if self.tokens_left <= 0:
            return "token_limit"
        return "time_limit" if self.explore_s <= 0 else None

    def next_step(self) -> int:
        """Count a step and return its number, from 1."""
        self._steps += 1
        return self._steps

    def add(self, usage: Usage, tool_calls: int = 0) -> None:
        self._usage = self._usage + usage
        self._tool_calls += tool_calls

    def usage(self) -> RunUsage:
        return RunUsage(
            prompt_tokens=self._usage.prompt_tokens,
            cached_tokens=self._usage.cached_tokens,
            completion_tokens=self._usage.completion_tokens,
            tool_calls=self._tool_calls,
            seconds=round(time.monotonic() - self._began, 3),
        )
