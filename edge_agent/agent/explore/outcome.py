"""What came of the calls of a turn."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace

from edge_agent.agent.explore.turn import Call
from edge_agent.agent.records import Action
from edge_agent.tools.base import Page


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a line for the record, text for the model, pages for the refiner.

    purpose: what the pages are refined for.
    """

    action: Action
    text: str
    pages: tuple[Page, ...] = ()
    purpose: str = ""

    @property
    def repeated(self) -> bool:
        """Whether the call had been made before."""
        return self.action.repeated

    @property
    def failed(self) -> bool:
        return self.action.error is not None


def outcome_of(
    call: Call,
    result: str,
    text: str,
    pages: tuple[Page, ...] = (),
    purpose: str = "",
    error: str | None = None,
) -> Outcome:
    """The outcome of a call; `result` is the line that the record shows of it."""
    return Outcome(Action(call.tool, dict(call.arguments), result, error), text, pages, purpose)


def as_repeated(outcome: Outcome) -> Outcome:
    """The same of a call that had been made before."""
    return replace(outcome, action=replace(outcome.action, repeated=True))


async def timed(work: Awaitable[Outcome]) -> Outcome:
    """What the work comes to, and how long it took."""
    began = time.monotonic()
    outcome = await work
    seconds = round(time.monotonic() - began, 3)
    return replace(outcome, action=replace(outcome.action, seconds=seconds))


def pages_of(outcomes: Iterable[Outcome]) -> list[Page]:
    """All pages of a turn."""
    return [page for outcome in outcomes for page in outcome.pages]


def purpose_of(outcomes: Iterable[Outcome]) -> str:
    """What a turn has read pages for."""
    purposes = (outcome.purpose for outcome in outcomes if outcome.pages)
    return " ".join(dict.fromkeys(filter(None, purposes)))
