"""Rollouts and fresh attempts over the real loop, a scripted model and a small world."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.checked import CheckedAnswerer
from edge_agent.agent.answer.verify import Verifier
from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.loop import Explorer
from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.explore.turn import Dialect
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Limits, RunEvent, Step, Task
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import Refiner
from edge_agent.agent.rollouts.attempt import Attempt
from edge_agent.agent.rollouts.prefaced import Prefaced
from edge_agent.agent.rollouts.rollouts import Outcome, Rollouts
from edge_agent.agent.runs.kit import Kit as Shared
from edge_agent.chat.messages import ChatRequest, Event, Prompt

from ..fakes import HARBOUR, FakeChat, Says, World, search

QUESTION = "Who built the smack that carried the bell?"
PROFILE = PROFILES["plain"]


class Guessing(FakeChat):
    """Thinks a sentence before each answer, as the schema asks."""

    def _next(self, request: ChatRequest) -> Says:
        said = super()._next(request)
        if "answer" in said.text:
            wrote = json.loads(said.text)
            return Says(json.dumps({**wrote, "thought": "So it says."}))
        return said


class Together(Guessing):
    """Says nothing before `n` prompts are there: no rollout is decided without the others."""

    def __init__(self, script: Sequence[Says], answers: Sequence[str], n: int) -> None:
        super().__init__(script, answers)
        self._n = n
        self._all_here = asyncio.Event()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        if len(self.prompts) >= self._n:
            self._all_here.set()
        await self._all_here.wait()
        async for event in super().stream(prompt):
            yield event


class House:
    """Puts explorers together for attempts, as a service does."""

    def __init__(self, chat: FakeChat, world: World) -> None:
        self.chat = chat
        self.world = world
        self.heard: list[RunEvent] = []

    def make(self, attempt: Attempt) -> Explorer:
        def keep(step: Step) -> None:
            attempt.record(step)

        ranker, evidence = Ranker(None), Evidence()
        dialect: Dialect = DIALECTS[PROFILE.dialect](PROFILE)
        if attempt.handover is not None:
            dialect = Prefaced(dialect, attempt.handover.text())
        answerer = Answerer(self.chat, ranker, PROFILE.answer_tokens)
        explorer = Explorer(
            QUESTION,
            self.chat,
            PROFILE,
            dialect,
            Actions(self.world.tools(), PROFILE.hits, PROFILE.reads),
            Refiner(self.chat, ranker, PROFILE.notes, prompt("condense")),
            CheckedAnswerer(answerer, Verifier(self.chat), retries=0),
            Budget(attempt.limits),
            self.heard.append,
            keep,
            evidence,
            Shared(self.chat, PROFILE, ranker, lambda library: {}).memory(QUESTION, evidence),
        )
        if attempt.handover is not None:
            explorer.restore(attempt.handover.state())
        return explorer


async def outcome(house: House, n: int = 1, fresh: int = 0, steps: int = 6) -> Outcome:
    task = Task(QUESTION, limits=Limits(steps=steps), n=n, fresh_attempts=fresh)
    return await Rollouts(task, house.make, at_once=4, seed=7).run()


async def test_rollouts_of_the_real_loop_vote_and_stop() -> None:
    house = House(Guessing([search("Thrift builder")], ["Ane Pollock"]), World(HARBOUR))
    found = await outcome(house, n=3)
    assert found.winner.text == "Ane Pollock"
    assert [r.winner for r in found.rollouts].count(True) == 1
    assert all(r.fault is None and r.weight > 0 for r in found.rollouts if r.reason == "answered")
    assert found.winner.answer is not None
    assert all(c.quote in HARBOUR[c.url] for c in found.winner.answer.citations)


async def test_rollouts_begin_with_the_same_prompt() -> None:
    chat = Together([search("Thrift builder")], ["Ane Pollock"], n=3)
    await outcome(House(chat, World(HARBOUR)), n=3)
    first = [p for p, r in zip(chat.prompts, chat.requests, strict=True) if r.pin]
    assert len(first) >= 3
    assert len(set(first[:3])) == 1


async def test_a_fresh_attempt_begins_with_the_facts_and_the_failure_of_the_last() -> None:
    script = [search(f"Thrift builder {word}") for word in ("one", "two", "three", "four")]
    chat = Guessing(script, ["Gerrith Olm"] * 3 + ["Ane Pollock"])
    world = World(HARBOUR)
    house = House(chat, world)
    found = await outcome(house, fresh=1)
    assert found.winner.text == "Ane Pollock"
    numbers = [step.number for step in found.winner.steps]
    assert numbers == list(range(1, len(numbers) + 1))
    openings = [
        text for text, r in zip(chat.rendered, chat.requests, strict=True) if "An earlier" in text
    ]
    assert openings
    assert "Gerrith Olm" in openings[0]
    assert world.searched.count(QUESTION) == 1  # what was searched is known to the next attempt
