"""One try at a question: how it ended, and the line that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from edge_agent.agent.jsonable import run_as_json
from edge_agent.agent.records import Run
from edge_agent.eval.question import Question
from edge_agent.eval.score import score

ENVIRONMENT = ("env_error", "tool_failed")  # reasons that say nothing about the model


@dataclass(frozen=True, slots=True)
class Trial:
    """How one try ended. quoted: citations whose quote stands on the page as it was stored."""

    run: Run
    quoted: int = 0


class Arm(Protocol):
    """One way to answer questions with the same model and the same pages."""

    @property
    def name(self) -> str: ...

    async def answer(self, question: Question) -> Trial:
        """One try. Raises ToolError when the world fails, and other errors of ours."""
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """A try as a line of trials.jsonl: flat figures, and the whole run as JSON to read.

    turns: generations of the loop. generated, prefilled, reprefilled: tokens, see `RunUsage`;
    prefilled are those of prompts that were computed. invalid: turns nothing could be made of, and
    generations that were thrown away. repeated: actions that had been made before. seconds: on the
    clock, all told.
    """

    id: str
    attempt: int
    kind: str
    question: str
    expected: str
    answer: str
    em: float
    f1: float
    status: str
    reason: str
    seconds: float
    turns: int
    generated: int
    prefilled: int
    reprefilled: int
    tool_calls: int
    actions: int
    repeated: int
    invalid: int
    retries: int
    folds: int
    forced: bool
    citations: int
    quoted: int
    run: Mapping[str, Any]

    @property
    def failed_outside(self) -> bool:
        """Whether the environment failed, not the model."""
        return self.reason in ENVIRONMENT


def scored(question: Question, attempt: int, trial: Trial, seconds: float) -> Scored:
    """The line of a try."""
    run, usage = trial.run, trial.run.usage
    marks = score(run.answer, question.expected)
    actions = [action for step in run.steps for action in step.actions]
    retries = sum(step.retries for step in run.steps)
    return Scored(
        id=question.id,
        attempt=attempt,
        kind=question.kind,
        question=question.question,
        expected=question.answer,
        answer=run.answer,
        em=marks.em,
        f1=round(marks.f1, 4),
        status=run.status,
        reason=run.reason or "",
        seconds=round(seconds, 3),
        turns=sum(step.completion_tokens > 0 for step in run.steps),
        generated=usage.completion_tokens,
        prefilled=usage.prompt_tokens - usage.cached_tokens,
        reprefilled=usage.reprefilled_tokens,
        tool_calls=usage.tool_calls,
        actions=len(actions),
        repeated=sum(action.repeated for action in actions),
        invalid=retries + sum(step.error is not None for step in run.steps),
        retries=retries,
        folds=usage.folds,
        forced=run.forced,
        citations=len(run.citations),
        quoted=trial.quoted,
        run=run_as_json(run),
    )


def scored_as_json(line: Scored) -> dict[str, Any]:
    """Of plain values only."""
    return {field.name: getattr(line, field.name) for field in fields(line)}


def scored_from_json(record: Mapping[str, Any]) -> Scored:
    """The inverse; raises KeyError when a field is missing."""
    return Scored(**{field.name: record[field.name] for field in fields(Scored)})
