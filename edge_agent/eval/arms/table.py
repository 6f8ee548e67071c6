"""Every arm by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.agent.records import Agent, Task
from edge_agent.chat.messages import Chat
from edge_agent.eval.arms.agent import AgentArm, Stored
from edge_agent.eval.arms.closed_book import ClosedBook
from edge_agent.eval.arms.one_shot import OneShot
from edge_agent.eval.arms.oracle import Oracle
from edge_agent.eval.arms.react import React
from edge_agent.eval.pages import Pages
from edge_agent.eval.trial import Arm


@dataclass(frozen=True, slots=True)
class Means:
    """What arms are made of: one model, one set of pages, one agent over both."""

    chat: Chat
    pages: Pages
    agent: Agent
    task: Task
    stored: Stored


ARMS: dict[str, Callable[[Means], Arm]] = {
    "agent": lambda means: AgentArm(means.agent, means.task, means.stored),
    "closed-book": lambda means: ClosedBook(means.chat),
    "react": lambda means: React(means.chat, means.pages),
    "one-shot": lambda means: OneShot(means.chat, means.pages),
    "oracle": lambda means: Oracle(means.chat, means.pages),
}
