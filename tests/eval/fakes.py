"""Arms that answer what they were told to, and lines of tries that never were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.agent.records import Action, Citation, Run, RunUsage, Step
from edge_agent.eval.question import Question
from edge_agent.eval.trial import Scored, Trial, scored

RUN = Run(
    id="try_1",
    task="Who?",
    model="fake",
    status="completed",
    reason="answered",
    answer="Ane Pollock",
    citations=(Citation("web", "http://h/thrift", "Thrift", "was built by Ane Pollock"),),
    steps=(
        Step(1, actions=(Action("search", {"query": ["Who?"]}, "3 results"),)),
        Step(
            2,
            thought="Look again.",
            actions=(Action("search", {"query": ["Who?"]}, "again", repeated=True),),
            prompt_tokens=100,
            cached_tokens=60,
            completion_tokens=20,
        ),
        Step(3, text="{", error="cut off", retries=1, completion_tokens=5),
    ),
    usage=RunUsage(
        prompt_tokens=300,
        cached_tokens=100,
        completion_tokens=50,
        tool_calls=2,
        seconds=3.0,
        reprefilled_tokens=8,
        folds=1,
    ),
)
QUESTION = Question("q1", "Who built the Thrift?", "Ane Pollock", kind="bridge")


def line(
    id: str = "q1", attempt: int = 0, em: float = 1.0, f1: float = 1.0, **changes: Any
) -> Scored:
    """A line with the given marks."""
    made = scored(replace(QUESTION, id=id), attempt, Trial(RUN, 1), 2.0)
    return replace(made, em=em, f1=f1, **changes)


@dataclass
class FakeArm:
    """Answers by the text of the question, or raises; `asked` has what it was asked."""

    answers: Mapping[str, str | Exception]
    name: str = "fake"
    asked: list[str] = field(default_factory=list)

    async def answer(self, question: Question) -> Trial:
        self.asked.append(question.id)
        said = self.answers[question.question]
        if isinstance(said, Exception):
            raise said
        return Trial(replace(RUN, answer=said))
