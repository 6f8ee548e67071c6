"""A loop over a scripted model and a small world, with everything it tells."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from edge_agent.agent.answer.answer import Answering
from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.loop import Explorer
from edge_agent.agent.explore.profile import PROFILES, Profile
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Limits, RunEvent, Step
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import Refiner
from edge_agent.agent.runs.kit import Kit as Shared
from edge_agent.agent.state import KeptFact, RunState
from edge_agent.chat.messages import Chat, Completion, Done, Event, Prompt, ToolCall
from edge_agent.engine.params import Usage
from edge_agent.tools.base import Tool

from ..fakes import HARBOUR, FakeChat, Says, World

AGENTCPM, PLAIN, QWEN = PROFILES["agentcpm"], PROFILES["plain"], PROFILES["qwen"]
QUESTION = "Who built the smack that carried the bell?"


class Watched(FakeChat):
    """A `FakeChat` that remembers every prompt it was asked."""

    def __init__(
        self, *script: Says, answers: tuple[str, ...] = ("the answer",), n_ctx: int = 4000
    ):
        super().__init__(script, answers, n_ctx)
        self.asked: list[Prompt] = []

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.asked.append(prompt)
        async with contextlib.aclosing(super().stream(prompt)) as events:
            async for event in events:
                yield event


@dataclass
class Kit:
    """An explorer and what it told so far."""

    chat: Chat
    world: World = field(default_factory=lambda: World(HARBOUR))
    profile: Profile = AGENTCPM
    limits: Limits = field(default_factory=Limits)
    task: str = QUESTION
    answerer: Answering | None = None
    in_hops: bool = False
    more_tools: Mapping[str, Tool] = field(default_factory=dict)
    events: list[RunEvent] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        tools = {**self.world.tools(), **self.more_tools}
        ranker, evidence = Ranker(None), Evidence()
        self.budget = Budget(self.limits)
        shared = Shared(self.chat, self.profile, ranker, lambda library: {})
        self.actions = Actions(tools, self.profile.hits, self.profile.reads)
        self.explorer = Explorer(
            self.task,
            self.chat,
            self.profile,
            DIALECTS[self.profile.dialect](self.profile, tools),
            self.actions,
            Refiner(self.chat, ranker, self.profile.notes, prompt("condense")),
            self.answerer or Answerer(self.chat, ranker, self.profile.answer_tokens),
            self.budget,
            self.events.append,
            self.steps.append,
            evidence,
            shared.memory(self.task, evidence),
            hops=shared.hops(self.task) if self.in_hops else None,
        )

    def state(self) -> RunState:
        """What a journal of the steps so far would fold to."""
        facts = tuple(
            KeptFact(f.number, f.page, f.passage.position, f.passage.text, f.passage.context)
            for f in self.explorer.evidence
        )
        return RunState(
            steps=tuple(self.steps),
            facts=facts,
            hits=tuple(self.actions.trail.found.hits),
            queries=tuple(self.world.searched),
            urls=tuple(self.world.read),
            usage=self.budget.usage(),
        )

    def told(self, kind: type[RunEvent]) -> list[RunEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def searches(*queries: str, thought: str = "") -> Says:
    return Says(thought=thought, calls=(("search", {"query": list(queries)}),))


def reads(*urls: str, purpose: str = "the builder") -> Says:
    return Says(calls=(("fetch_url", {"url": list(urls), "purpose": purpose}),))


def answers(text: str) -> Says:
    return Says(f"<answer>{text}</answer>")


def wrote(
    text: str = "",
    thought: str = "",
    calls: tuple[ToolCall, ...] = (),
    malformed: str | None = None,
    length: bool = False,
) -> Completion:
    done = Done("length" if length else "stop", Usage(), malformed=malformed)
    return Completion(text, thought, calls, done)
