"""Rollouts and fresh attempts over explorers that do what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.verdict import Fault, Verdict
from edge_agent.agent.explore.ending import Ending
from edge_agent.agent.records import Limits, Reason, Step, Task
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.rollouts.attempt import Attempt
from edge_agent.agent.rollouts.rollouts import Outcome, Rollouts
from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import EdgeAgentError, EngineCrashed
from tests.patience import until

from ..answer.fakes import NO_GENERATION, evidence
from ..fakes import FakeChat

QUESTION = "Who built the Thrift?"


@dataclass(frozen=True)
class Plan:
    """What one attempt comes to.

    reads: whether it found any page. wait_s: how long exploring takes. error: one of the house is
    raised while exploring, any other by the answer. own: an answer the model wrote itself.
    """

    answer: str = "Ane Pollock"
    fault: Fault | None = None
    steps: int = 2
    reason: Reason = "answered"
    reads: bool = True
    wait_s: float = 0.0
    error: Exception | None = None
    own: str = ""


@dataclass
class Played:
    """Implements Exploring."""

    attempt: Attempt
    plan: Plan
    world: Stage

    @property
    def evidence(self) -> Evidence:
        return evidence() if self.plan.reads else Evidence()

    @property
    def tried(self) -> tuple[str, ...]:
        return ("Thrift",) if self.plan.reads else ()

    async def explore(self) -> Ending:
        self.world.running += 1
        self.world.most = max(self.world.most, self.world.running)
        try:
            for number in range(1, self.plan.steps + 1):
                self.attempt.record(Step(number, completion_tokens=10))
            await until(lambda: self.world.most >= self.world.together)
            await asyncio.sleep(self.plan.wait_s)
        except asyncio.CancelledError:
            self.world.cancelled += 1
            raise
        finally:
            self.world.running -= 1
        if isinstance(self.plan.error, EdgeAgentError):
            raise self.plan.error
        return Ending(self.plan.reason, self.plan.own)

    async def answer(self, ending: Ending) -> Answer:
        if self.plan.error is not None:
            raise self.plan.error
        said = self.plan.fault and f"It is {self.plan.fault}."
        return Answer(self.plan.answer, (), NO_GENERATION, (), Verdict(self.plan.fault, said or ""))


@dataclass
class Stage:
    """Makes explorers after plans by (rollout, attempt); `usual` where there is none. They wait
    until so many have run `together`."""

    plans: Mapping[tuple[int, int], Plan] = field(default_factory=dict)
    usual: Plan = field(default_factory=Plan)
    together: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    running: int = 0
    most: int = 0
    cancelled: int = 0

    def make(self, attempt: Attempt) -> Played:
        self.attempts.append(attempt)
        plan = self.plans.get((attempt.rollout, attempt.number), self.usual)
        return Played(attempt, plan, self)


async def outcome(stage: Stage, n: int = 1, fresh: int = 0, at_once: int = 4) -> Outcome:
    limits = Limits(steps=12, tokens=1000, seconds=60)
    task = Task(QUESTION, limits=limits, n=n, fresh_attempts=fresh)
    return await Rollouts(task, stage.make, at_once, seed=100).run()


async def test_one_rollout_is_an_exploration_with_nothing_changed() -> None:
    stage = Stage()
    found = await outcome(stage)
    assert (found.winner.text, found.rollouts) == ("Ane Pollock", ())
    (attempt,) = stage.attempts
    assert (attempt.limits.steps, attempt.limits.tokens) == (12, 1000)
    assert attempt.limits.seconds == pytest.approx(60, abs=5)
    assert attempt.seed is None
    assert attempt.handover is None


async def test_the_answer_with_most_weight_wins_and_every_rollout_is_told() -> None:
    plans = {
        (0, 0): Plan("Gerrith Olm", "unstated"),
        (1, 0): Plan("gerrith olm.", "unstated", steps=1),
        (2, 0): Plan("Ane Pollock", steps=5),
    }
    found = await outcome(Stage(plans), n=3)
    assert found.winner.text == "Ane Pollock"
    assert len(found.winner.steps) == 5
    told = [(r.index, r.seed, r.answer, r.weight, r.fault, r.winner) for r in found.rollouts]
    assert told == [
        (0, 100, "Gerrith Olm", 1, "unstated", False),
        (1, 101, "gerrith olm.", 1, "unstated", False),
        (2, 102, "Ane Pollock", 4, None, True),
    ]


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (2, 2), (9, 5)])
async def test_no_more_run_at_once_than_the_engine_has_sequences(at_once: int, most: int) -> None:
    stage = Stage(usual=Plan("x", "unstated", wait_s=0.01), together=most)
    await outcome(stage, n=5, at_once=at_once)
    assert stage.most == most
    assert len(stage.attempts) == 5


async def test_agreement_stops_the_rest_and_the_record_says_so() -> None:
    stage = Stage({(3, 0): Plan(wait_s=60)}, Plan("Ane"))
    found = await outcome(stage, n=4)
    assert (found.winner.text, stage.cancelled, stage.running) == ("Ane", 1, 0)
    assert [r.reason for r in found.rollouts] == ["answered"] * 3 + ["cancelled"]
    assert found.rollouts[3].steps == 2


async def test_rollouts_that_wait_are_never_begun_once_it_is_decided() -> None:
    stage = Stage()
    found = await outcome(stage, n=5, at_once=1)
    assert len(stage.attempts) == 4  # three agree with 12 points, and 2 x 6 could tie them
    assert len(found.rollouts) == 4


async def test_closing_a_vote_cancels_every_rollout() -> None:
    stage = Stage(usual=Plan(wait_s=60))
    running = asyncio.create_task(outcome(stage, n=3))
    await until(lambda: stage.running == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (stage.cancelled, stage.running) == (3, 0)


async def test_rollouts_draw_warm_with_seeds_of_their_own() -> None:
    stage = Stage(usual=Plan("x", "unstated"))
    await outcome(stage, n=3, fresh=1)
    chat = FakeChat([], [])
    asked = ChatRequest((Message("user", "Hello"),), sampling=SamplingParams(temperature=0))
    for attempt in stage.attempts:
        attempt.seeded(chat, None).prepare(asked)
    drawn = [request.sampling for request in chat.requests if request.sampling]
    assert {each.temperature for each in drawn} == {0.7}
    assert len({each.seed for each in drawn}) == 6
    hot = SamplingParams(temperature=1.0, top_p=0.95)
    stage.attempts[0].seeded(chat, None).prepare(replace(asked, sampling=hot))
    assert chat.requests[-1].sampling == replace(hot, seed=drawn[0].seed)


async def test_an_error_of_one_rollout_leaves_the_others_their_vote() -> None:
    stage = Stage({(0, 0): Plan(error=EngineCrashed("The engine died."))})
    found = await outcome(stage, n=3)
    assert found.winner.text == "Ane Pollock"
    assert (found.rollouts[0].reason, found.rollouts[0].error) == ("env_error", "The engine died.")


async def test_nothing_but_errors_is_an_error() -> None:
    for n in (1, 3):
        with pytest.raises(EngineCrashed):
            await outcome(Stage(usual=Plan(error=EngineCrashed("The engine died."))), n=n)


async def test_a_defect_is_raised_and_stops_the_others() -> None:
    stage = Stage({(1, 0): Plan(error=ZeroDivisionError())}, Plan(wait_s=60))
    with pytest.raises(ZeroDivisionError):
        await outcome(stage, n=3)
    assert (stage.cancelled, stage.running) == (2, 0)


async def test_an_answer_that_came_too_late_keeps_what_the_model_wrote_itself() -> None:
    late = asyncio.TimeoutError()
    found = await outcome(Stage(usual=Plan(own="Ane, see http://made.up/x", error=late)))
    assert (found.winner.text, found.winner.reason) == ("Ane, see", "time_limit")
    assert (await outcome(Stage(usual=Plan(error=late)))).winner.text == "not found"


@pytest.mark.parametrize(
    ("first", "n_attempts"),
    [
        (Plan(), 1),
        (Plan("Gerrith Olm", "unstated"), 2),
        (Plan("not found", "missing", reason="steps_limit"), 2),
        (Plan(reads=False), 2),
        (Plan(error=EngineCrashed("The engine died.")), 2),
    ],
)
async def test_an_attempt_that_failed_or_gave_up_is_followed_by_a_fresh_one(
    first: Plan, n_attempts: int
) -> None:
    stage = Stage({(0, 0): first})
    found = await outcome(stage, fresh=2)
    assert found.winner.text == "Ane Pollock"
    assert len(stage.attempts) == n_attempts
    assert [attempt.handover is not None for attempt in stage.attempts] == [False, True][
        :n_attempts
    ]


async def test_fresh_attempts_share_the_limits_and_their_steps_are_numbered_on() -> None:
    plans = {(0, 0): Plan("a", "unstated", steps=4), (0, 1): Plan("b", "echo", steps=3)}
    stage = Stage(plans)
    found = await outcome(stage, fresh=2)
    assert [a.limits.steps for a in stage.attempts] == [4, 4, 5]  # of 12, 8 and 5 that are left
    assert [a.limits.tokens for a in stage.attempts] == [334, 480, 930]
    assert [a.steps_before for a in stage.attempts] == [0, 4, 7]
    assert [step.number for step in found.winner.steps] == list(range(1, 10))
    seconds = [a.limits.seconds for a in stage.attempts]
    assert seconds == pytest.approx([20, 30, 60], abs=4.5)


async def test_of_attempts_that_all_failed_the_least_bad_answers() -> None:
    plans = {
        (0, 0): Plan("Olm", "unstated"),
        (0, 1): Plan("Ane", "not_stated"),
        (0, 2): Plan("not found", "missing"),
    }
    found = await outcome(Stage(plans), fresh=2)
    assert (found.winner.text, found.winner.weight) == ("Ane", 2)
    assert len(found.winner.steps) == 6


async def test_the_next_attempt_is_told_why_the_last_one_failed() -> None:
    stage = Stage({(0, 0): Plan("Olm", "echo", reason="steps_limit")})
    await outcome(stage, fresh=1)
    handover = stage.attempts[1].handover
    assert handover is not None
    assert (handover.failure, handover.answer, handover.why) == (
        "misdirected",
        "Olm",
        "It is echo.",
    )
