"""What a run may spend, what it has spent, and what is kept back for the answer."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from edge_agent.agent.records import Limits, Reason, RunUsage
from edge_agent.engine.params import Usage

ANSWER_SHARE = 0.2  # of the seconds, kept back so that a run always ends in an answer
ANSWER_RESERVE_S = 60.0  # at most
LAST_STEPS = 2  # from here on the model is told
SCARCE = 0.25  # of the tokens or the seconds: from here on the model is told
THOUGHT_SHARE = 0.75  # of a turn's tokens, at most, so that a call still fits behind the thought


class Budget:
    """The clock and the counts of one run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = time.monotonic()
        self._reserve_s = min(limits.seconds * ANSWER_SHARE, ANSWER_RESERVE_S)
        self._usage = Usage()
        self._steps = 0
        self._tool_calls = 0
        self._before = RunUsage()  # what an earlier process spent on what only a run counts
        self._reprefilled = 0
        self._folds = 0
        self._parts: list[Budget] = []

    def part(self, limits: Limits) -> Budget:
        """A budget of its own for an attempt, whose spending is this one's too."""
        self._parts.append(Budget(limits))
        return self._parts[-1]

    def restore(self, usage: RunUsage, steps: int) -> None:
        """Go on from what was spent when the run was cut off; the pause costs nothing."""
        self._began = time.monotonic() - usage.seconds
        self._steps = steps
        self._tool_calls = usage.tool_calls
        self._before = usage
        self._usage = Usage(
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
        )

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

    def turn_tokens(self, wanted: int | None) -> int:
        """Most tokens of the next turn."""
        return max(1, min(wanted or self.tokens_left, self.tokens_left))

    def thought_tokens(self, wanted: int | None, turn_tokens: int) -> int | None:
        """Most tokens of the next turn's thought; None where the profile sets no bound."""
        bounds = [bound for bound in (wanted, self._limits.thought_tokens) if bound is not None]
        return min(*bounds, int(turn_tokens * THOUGHT_SHARE)) if bounds else None

    def told(self) -> str:
        """What the model should know is left, "" while there is plenty, or nothing at all."""
        if self.exhausted():
            return ""
        if self.steps_left == 1:
            return "One turn is left: write the answer in it."
        scarce = (
            self.tokens_left < self._limits.tokens * SCARCE
            or self.explore_s < (self._limits.seconds - self._reserve_s) * SCARCE
        )
        if not scarce and self.steps_left > LAST_STEPS:
            return ""
        return (
            f"Left: {self.steps_left} turns, {self.tokens_left} tokens, {self.explore_s:.0f} "
            "seconds. Answer as soon as the facts allow."
        )

    def next_step(self) -> int:
        """Count a step and return its number, from 1."""
        self._steps += 1
        return self._steps

    def add(self, usage: Usage, tool_calls: int = 0) -> None:
        self._usage = self._usage + usage
        self._tool_calls += tool_calls

    def note_prefills(self, reprefilled_tokens: int, folds: int) -> None:
        """What the transcript of this process came to so far."""
        self._reprefilled, self._folds = reprefilled_tokens, folds

    def usage(self) -> RunUsage:
        spent = RunUsage(
            prompt_tokens=self._usage.prompt_tokens,
            cached_tokens=self._usage.cached_tokens,
            completion_tokens=self._usage.completion_tokens,
            tool_calls=self._tool_calls,
            seconds=round(time.monotonic() - self._began, 3),
        )
        spent = replace(
            spent,
            reprefilled_tokens=self._before.reprefilled_tokens + self._reprefilled,
            folds=self._before.folds + self._folds,
        )
        for part in self._parts:
            spent = _with(spent, part.usage())
        return spent


def _with(spent: RunUsage, more: RunUsage) -> RunUsage:
    """The sum of counts; the clock runs for both at once."""
    counts = {name: value for name, value in asdict(more).items() if name != "seconds"}
    return replace(spent, **{name: getattr(spent, name) + n for name, n in counts.items()})
