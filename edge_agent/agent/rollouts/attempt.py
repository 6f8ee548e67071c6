"""One try at a task: with what it begins, who carries it out, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.links import returned, without_made_up
from edge_agent.agent.answer.verdict import FAULTY, NOTHING, PLAUSIBLE
from edge_agent.agent.answer.wording import NOT_FOUND, is_missing
from edge_agent.agent.explore.ending import Ending
from edge_agent.agent.records import Limits, Reason, Step
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.rollouts.handover import Handover
from edge_agent.chat.messages import Chat
from edge_agent.chat.seeded import SeededChat
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import EdgeAgentError

WARMTH = 0.7  # the temperature of rollouts in place of greedy, which would say all the same
SEEDS_AN_ATTEMPT = 7919


class Exploring(Protocol):
    """What carries out an attempt; `explore.loop.Explorer` is one."""

    @property
    def evidence(self) -> Evidence: ...

    @property
    def tried(self) -> tuple[str, ...]:
        """What was searched and read, in words."""
        ...

    async def explore(self) -> Ending:
        """Steps until the model answers, a budget ends, or nothing moves any more."""
        ...

    async def answer(self, ending: Ending) -> Answer:
        """The answer with its proof. Raises asyncio.TimeoutError when its time is over."""
        ...


@dataclass(slots=True)
class Attempt:
    """What a try begins with, and the steps it has taken.

    rollout, number: which rollout, and which of its attempts, both from 0. seed: None samples as
    the profile says. limits: of this attempt alone. handover: what the attempt before it leaves.
    steps_before: steps that earlier attempts of the rollout took; this one's numbers go on from
    there. Who makes the explorer passes each step on to `record`.
    """

    rollout: int
    number: int
    seed: int | None
    limits: Limits
    handover: Handover | None = None
    steps_before: int = 0
    steps: list[Step] = field(default_factory=list)

    def record(self, step: Step) -> Step:
        """Keep a step, under its number in the rollout."""
        numbered = replace(step, number=step.number + self.steps_before)
        self.steps.append(numbered)
        return numbered

    def seeded(self, chat: Chat, usual: SamplingParams | None) -> Chat:
        """The chat as this attempt draws from it; `usual` is the sampling of the profile."""
        if self.seed is None:
            return chat
        drawn = SeededChat(chat, usual or SamplingParams(), WARMTH)
        # each attempt of a rollout is drawn anew, and no two rollouts meet
        drawn.seed = (self.seed + SEEDS_AN_ATTEMPT * self.number) & 0x7FFFFFFF
        return drawn


Factory: TypeAlias = Callable[[Attempt], Exploring]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt.

    ending: None when an error or the clock cut it off. answer: None when nothing was read, or time
    ran out over it. steps: of all attempts up to this one. searched: what was searched and read.
    """

    attempt: Attempt
    evidence: Evidence
    steps: tuple[Step, ...]
    ending: Ending | None = None
    answer: Answer | None = None
    error: EdgeAgentError | None = None
    searched: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer; "not found" where there is none."""
        if self.answer is not None:
            return self.answer.text
        return (self.ending.answer if self.ending else "") or NOT_FOUND

    @property
    def reason(self) -> Reason:
        if self.error is not None:
            return "env_error"
        return self.ending.reason if self.ending else "time_limit"

    @property
    def weight(self) -> int:
        """How much the answer counts: by its verdict; one that cites nothing counts as faulty."""
        if is_missing(self.text):
            return NOTHING
        if self.answer is None:
            return FAULTY
        return self.answer.verdict.weight if self.answer.verdict else PLAUSIBLE

    def holds(self, question: str) -> bool:
        """Whether the task is done with this: an answer of the model's or one that was checked."""
        return self.answer is not None and self.answer.holds(question)


async def carry_out(factory: Factory, attempt: Attempt, before: tuple[Step, ...]) -> Tried:
    """Explore and answer. Errors of the house are what came of it; a defect is raised."""
    explorer = factory(attempt)
    ending: Ending | None = None
    answer: Answer | None = None
    error: EdgeAgentError | None = None
    try:
        ending = await explorer.explore()
        answer = await explorer.answer(ending) if len(explorer.evidence) else None
    except asyncio.TimeoutError:
        ending = Ending("time_limit", ending.answer if ending else "")
    except EdgeAgentError as failure:
        error = failure
    if ending and ending.answer and answer is None:
        own = without_made_up(ending.answer, returned(explorer.evidence))
        ending = replace(ending, answer=own)
    steps = (*before, *attempt.steps)
    return Tried(attempt, explorer.evidence, steps, ending, answer, error, explorer.tried)
