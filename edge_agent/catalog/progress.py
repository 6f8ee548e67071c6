"""How a pull tells what it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a pull does now. done and total in bytes; total 0 where it is not known."""

    what: str
    done: int = 0
    total: int = 0


class Progress(Protocol):
    """Called from the pulling thread, often: it must return at once.

    What it raises ends the pull; what was fetched so far is kept for the next one.
    """

    def __call__(self, step: Step) -> None: ...


def silent(step: Step) -> None:
    """A progress that shows nothing."""
