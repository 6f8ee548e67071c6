"""A run and its events as JSON: what /agent/run returns and `--json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edge_agent.agent.records import (
    Answered,
    NoteTaken,
    Retried,
    RolloutEnded,
    Run,
    RunEvent,
    RunStarted,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)

KINDS: dict[type[Any], str] = {
    RunStarted: "run_started",
    StepStarted: "step_started",
    ThoughtDelta: "thought_delta",
    TextDelta: "text_delta",
    Retried: "retry",
    ToolCalled: "tool_call",
    ToolReturned: "tool_result",
    NoteTaken: "note",
    RolloutEnded: "rollout",
    Answered: "answer",
}


def run_as_json(run: Run) -> dict[str, Any]:
    """The whole record; times in seconds, `created_at` in ISO 8601 UTC."""
    record = asdict(run)
    first = ("id", "status", "reason", "answer", "citations", "steps", "usage", "model", "task")
    return {**{key: record[key] for key in first}, **record}


def event_as_json(event: RunEvent) -> dict[str, Any]:
    """`type` and the event's fields; an answer has those of its run, a note those of its note."""
    kind = {"type": KINDS[type(event)]}
    if isinstance(event, Answered):
        return {**kind, **run_as_json(event.run)}
    if isinstance(event, NoteTaken):
        return {**kind, "step": event.step, **asdict(event.note)}
    if isinstance(event, RolloutEnded):
        return {**kind, **asdict(event.rollout)}
    return {**kind, **asdict(event)}
