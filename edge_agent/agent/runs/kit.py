"""What all runs of a service share, and how an explorer is put together from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_agent.agent.answer.answer import Answering
from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.checked import CheckedAnswerer
from edge_agent.agent.answer.verify import Verifier
from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.hops import Hops
from edge_agent.agent.explore.loop import Explorer
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.scout import Scout
from edge_agent.agent.memory.memory import Memory, Policy
from edge_agent.agent.memory.recall import recall_tool
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import RunEvent, Step, Task
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import NoteBudget, Refiner
from edge_agent.agent.rollouts.prefaced import Prefaced
from edge_agent.chat.messages import Chat
from edge_agent.tools.base import Tool

# the tools of a run, for the library it names (None: whatever is configured); raises NotFound
ToolsFor = Callable[[str | None], Mapping[str, Tool]]


@dataclass(frozen=True, slots=True)
class Kit:
    """A model, how it is asked, and what it may use. The profile fits the model's window.

    rollouts_at_once: of one run, side by side; as many as the model has sequences for.
    """

    chat: Chat
    profile: Profile
    ranker: Ranker
    tools_for: ToolsFor
    rollouts_at_once: int = 1

    def tools(self, task: Task) -> dict[str, Tool]:
        """What a run may call, as whoever asked for it may. Raises NotFound."""
        tools = self.tools_for(task.library)
        held = {name: tool.for_holder(task.holder) for name, tool in tools.items()}
        return {name: tool for name, tool in held.items() if tool is not None}

    def answerer(self, tokens: int | None = None) -> Answering:
        """tokens: of evidence that an answer is drawn from; None is what the profile says."""
        answerer = Answerer(self.chat, self.ranker, tokens or self.profile.answer_tokens)
        if self.profile.verifies == "no":
            return answerer
        verifier = Verifier(self.chat, asks=self.profile.verifies == "model")
        return CheckedAnswerer(answerer, verifier)

    def explorer(
        self,
        task: str,
        tools: Mapping[str, Tool],
        budget: Budget,
        emit: Callable[[RunEvent], None],
        record: Callable[[Step], None],
        preface: str = "",
    ) -> Explorer:
        """A loop over `tools` that tells `emit` what happens and `record` when a step is over.

        preface: what an attempt before it left, told to the model at the beginning.
        """
        profile, evidence = self.profile, Evidence()
        recall = recall_tool(evidence)
        dialect = DIALECTS[profile.dialect](profile, tools)
        return Explorer(
            task,
            self.chat,
            profile,
            Prefaced(dialect, preface) if preface else dialect,
            Actions({**tools, recall.name: recall}, profile.hits, profile.reads),
            Refiner(self.chat, self.ranker, profile.notes, prompt("condense")),
            self.answerer(),
            budget,
            emit,
            record,
            evidence,
            self.memory(task, evidence),
            Scout(self.ranker, profile.follows) if profile.follows else None,
            None if preface else self.hops(task),
        )

    def hops(self, task: str) -> Hops | None:
        """The hops of a task, where the profile asks it so."""
        tokens = self.profile.hop_tokens
        if not tokens:
            return None
        notes = NoteBudget(self.profile.notes.pages, tokens, tokens)
        refiner = Refiner(self.chat, self.ranker, notes, prompt("condense"))
        return Hops(task, refiner, self.answerer(tokens))

    def memory(self, task: str, evidence: Evidence) -> Memory:
        """The window of an explorer, as the profile folds it."""
        profile = self.profile
        policy = Policy(
            profile.memory,
            turn_tokens=profile.turn_tokens,
            notes_tokens=profile.answer_tokens,
            recalls=profile.dialect == "hermes",
        )
        return Memory(self.chat, self.ranker, task, evidence, policy)
