"""Several explorations of one task at once, and one answer out of their votes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edge_agent.agent.records import Limits, Rollout, Step, Task
from edge_agent.agent.rollouts.attempt import Attempt, Factory, Tried, carry_out
from edge_agent.agent.rollouts.handover import Handover, handed_over
from edge_agent.agent.rollouts.vote import Ballot, is_decided, winner
from edge_agent.errors import EdgeAgentError

LEAST_SECONDS = 1.0  # with less an attempt is not begun


@dataclass(frozen=True, slots=True)
class Outcome:
    """The attempt whose answer is the run's, and how every rollout counted.

    rollouts: empty where there was one alone.
    """

    winner: Tried
    rollouts: tuple[Rollout, ...] = ()


class Rollouts:
    """Carries out a task: `task.n` rollouts, each of at most `task.fresh_attempts` + 1 attempts.

    at_once: rollouts that run side by side; as many as the engine has sequences. They begin with
    the same prompt, so its cells are shared. Steps and tokens of the task's limits are for each
    rollout, its seconds for all of them. seed: rollout i draws with seed + i. tell: hears of each
    of several rollouts as it ends.
    """

    def __init__(
        self,
        task: Task,
        factory: Factory,
        at_once: int,
        seed: int,
        tell: Callable[[Rollout], None] = lambda rollout: None,
    ) -> None:
        self._task = task
        self._factory = factory
        self._tell = tell
        self._at_once = max(1, min(at_once, task.n))
        self._seed = seed
        self._ends = time.monotonic() + task.limits.seconds
        self._begun: dict[int, Attempt] = {}  # the last attempt of each rollout
        self._tried: dict[int, Tried] = {}

    async def run(self) -> Outcome:
        """Begin, count the votes as they come in, stop when the rest cannot change the answer.

        Raises the first error when there was nothing but errors.
        """
        running: dict[asyncio.Task[Tried], int] = {}
        waiting = list(range(self._task.n))
        try:
            while (waiting or running) and not self._is_decided(len(waiting) + len(running)):
                while waiting and len(running) < self._at_once:
                    index = waiting.pop(0)
                    running[asyncio.create_task(self._rollout(index))] = index
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    self._take(running.pop(each), each.result())
        finally:
            await _stop(running)
        return self._outcome()

    def _take(self, index: int, tried: Tried) -> None:
        self._tried[index] = tried
        if self._task.n > 1:
            self._tell(self._told(index, None))

    def _is_decided(self, outstanding: int) -> bool:
        return bool(self._tried) and is_decided(_ballots(self._tried.items()), outstanding)

    async def _rollout(self, index: int) -> Tried:
        """Attempts until one holds; the best of them, with the steps of all."""
        tried: list[Tried] = []
        ends = self._deadline(index)
        for number in range(self._task.fresh_attempts + 1):
            if tried and ends - time.monotonic() < LEAST_SECONDS:
                break
            attempt = self._attempt(index, number, ends, tried)
            self._begun[index] = attempt
            before = tried[-1].steps if tried else ()
            tried.append(await carry_out(self._factory, attempt, before))
            if tried[-1].holds(self._task.task):
                break
        return _best(tried)

    def _deadline(self, index: int) -> float:
        """When a rollout must be over, so that those that wait for it have their time too."""
        rounds = math.ceil(self._task.n / self._at_once) - index // self._at_once
        now = time.monotonic()
        return now + max(self._ends - now, 0.0) / rounds

    def _attempt(self, index: int, number: int, ends: float, tried: list[Tried]) -> Attempt:
        left = self._task.fresh_attempts + 1 - number
        steps = tried[-1].steps if tried else ()
        return Attempt(
            rollout=index,
            number=number,
            seed=self._seed + index if self._task.n > 1 else None,
            limits=_share(self._task.limits, steps, ends - time.monotonic(), left),
            handover=self._handover(tried[-1]) if tried else None,
            steps_before=len(steps),
        )

    def _handover(self, tried: Tried) -> Handover:
        written = tried.ending.answer if tried.ending else ""
        question, evidence = self._task.task, tried.evidence
        return handed_over(question, tried.reason, tried.steps, evidence, tried.answer, written)

    def _outcome(self) -> Outcome:
        errors = [tried.error for tried in self._tried.values() if tried.error is not None]
        if len(errors) == len(self._tried):
            raise errors[0]
        best = winner(_ballots(self._tried.items()))
        assert best is not None, "a vote has ballots"
        told = tuple(self._told(index, best.index) for index in sorted(self._begun))
        return Outcome(self._tried[best.index], told if self._task.n > 1 else ())

    def _told(self, index: int, best: int | None) -> Rollout:
        tried, begun = self._tried.get(index), self._begun[index]
        seed = self._seed + index
        if tried is None:  # stopped when the others had decided
            steps = begun.steps_before + len(begun.steps)
            return Rollout(index, seed, "", 0, steps, "cancelled")
        verdict = tried.answer.verdict if tried.answer else None
        return Rollout(
            index=index,
            seed=seed,
            answer=tried.text,
            weight=tried.weight,
            steps=len(tried.steps),
            reason=tried.reason,
            fault=verdict.fault if verdict else None,
            error=_sentence(tried.error),
            winner=index == best,
        )


def _ballots(tried: Iterable[tuple[int, Tried]]) -> list[Ballot]:
    return [
        Ballot(index, each.text, each.weight, len(each.steps))
        for index, each in tried
        if each.error is None
    ]


def _best(tried: list[Tried]) -> Tried:
    """The attempt whose answer counts most, with the steps of all attempts."""
    best = winner(_ballots(enumerate(tried)))
    return replace(tried[best.index if best else -1], steps=tried[-1].steps)


def _share(limits: Limits, steps: tuple[Step, ...], seconds: float, left: int) -> Limits:
    """What an attempt may spend of what is left, when so many attempts are to have their part."""
    tokens = limits.tokens - sum(step.completion_tokens for step in steps)
    return replace(
        limits,
        steps=max(1, math.ceil((limits.steps - len(steps)) / left)),
        tokens=max(1, math.ceil(tokens / left)),
        seconds=max(seconds, 0.0) / left,
    )


def _sentence(error: EdgeAgentError | None) -> str | None:
    return str(error) if error is not None else None


async def _stop(running: Iterable[asyncio.Task[Tried]]) -> None:
    """Cancel what still runs and wait for its clean-up."""
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
