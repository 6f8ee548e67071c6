"""The agent as an arm, with a fake agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from edge_agent.agent.records import Answered, Citation, Limits, Run, RunEvent, Task
from edge_agent.eval.arms.agent import AgentArm
from edge_agent.eval.question import Question

from ..fakes import RUN

QUESTION = Question("q1", "Who built the Thrift?", "Ane Pollock")
PAGE = "The Thrift was built by Ane Pollock in 1871."


class OneRun:
    """Implements Agent: always the same run."""

    def __init__(self, *quotes: str) -> None:
        citations = tuple(Citation("web", "http://h/thrift", "Thrift", quote) for quote in quotes)
        self.run_of = replace(RUN, citations=citations)
        self.tasks: list[Task] = []

    async def stream(self, task: Task) -> AsyncGenerator[RunEvent, None]:
        self.tasks.append(task)
        yield Answered(self.run_of)

    async def run(self, task: Task) -> Run:
        self.tasks.append(task)
        return self.run_of


def stored(url: str) -> str | None:
    return PAGE if url == "http://h/thrift" else None


async def test_every_run_has_the_task_with_the_question_in_it() -> None:
    agent = OneRun()
    limits = Limits(steps=3)
    await AgentArm(agent, Task("", limits=limits, fresh_attempts=1), stored).answer(QUESTION)
    assert agent.tasks == [Task("Who built the Thrift?", limits=limits, fresh_attempts=1)]


async def test_only_quotes_that_stand_on_the_stored_page_count() -> None:
    agent = OneRun("built by Ane Pollock", "built by ane pollock", "built  by Ane", " ")
    trial = await AgentArm(agent, Task(""), stored).answer(QUESTION)
    assert trial.quoted == 1
    gone = await AgentArm(OneRun("built by"), Task(""), lambda url: None).answer(QUESTION)
    assert gone.quoted == 0
