"""How exploring ends: with an answer, at a budget, or because nothing moves any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.records import Action, Reason

MOST_REPEATS = 3  # turns in a row that only repeat
MOST_ERRORS = 3  # turns in a row that nothing can be made of
MOST_FAILURES = 3  # turns in a row whose every call failed, before anything was found


@dataclass(frozen=True, slots=True)
class Ending:
    """How exploring ended.

    answer: what the model wrote as its answer itself. drawn: an answer that was drawn from the
    evidence already.
    """

    reason: Reason
    answer: str = ""
    drawn: Answer | None = None

    @property
    def forced(self) -> bool:
        """Whether there was no answer yet, so that one must be drawn from what is at hand."""
        return self.reason != "answered"


@dataclass(slots=True)
class Patience:
    """Counts the turns in a row that brought nothing, and says when to stop."""

    repeats: int = 0
    errors: int = 0
    failures: int = 0

    def judge(self, error: str | None, actions: Sequence[Action], has_evidence: bool) -> None:
        """Take note of a turn."""
        self.errors = self.errors + 1 if error else 0
        self.repeats = self.repeats + 1 if any(action.repeated for action in actions) else 0
        failed = bool(actions) and all(action.error for action in actions) and not has_evidence
        self.failures = self.failures + 1 if failed else 0

    @property
    def spent(self) -> Reason | None:
        """Why it is over, if it is."""
        if self.errors >= MOST_ERRORS:
            return "format_error"
        if self.failures >= MOST_FAILURES:
            return "tool_failed"
        return "repetition" if self.repeats >= MOST_REPEATS else None
