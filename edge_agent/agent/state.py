"""Where a run stands: everything that is needed to go on from its last recorded step.

Pure data, made of records and of what tools return; every room may read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.agent.records import Reason, RunUsage, Step, ToolCalled
from edge_agent.tools.base import Page, SearchHit


@dataclass(frozen=True, slots=True)
class KeptFact:
    """A fact of the evidence under its number in the run, with its page as it was stored.

    position, text and context are those of its passage.
    """

    number: int
    page: Page
    position: int
    text: str
    context: str


@dataclass(frozen=True, slots=True)
class PendingTurn:
    """A turn whose calls were being made when the run was cut off: the next step takes it as given.

    Its calls go through the same tools as any others; those that were recorded as done are
    answered from the journal, the rest are made.
    """

    thought: str = ""
    text: str = ""
    calls: tuple[ToolCalled, ...] = ()


@dataclass(frozen=True, slots=True)
class RunState:
    """The fold of a run's journal; the default is a run at its beginning.

    steps: those that were recorded; the next has the number after them.
    facts: in the order of their numbers, from 1. marked: numbers the model pointed at.
    hits: results of searches in the order they were found, which is the order of their numbers.
    queries, urls: what was searched and read in recorded steps, for the duplicate guard.
    usage: spent so far, its seconds on the clock included; `len(steps)` is the steps spent.
    pending: a turn that was cut off.
    reason, answer: how exploring ended, and what the model wrote as its answer itself; reason is
    None while it goes on.
    """

    steps: tuple[Step, ...] = ()
    facts: tuple[KeptFact, ...] = ()
    marked: tuple[int, ...] = ()
    hits: tuple[SearchHit, ...] = ()
    queries: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    usage: RunUsage = field(default_factory=RunUsage)
    pending: PendingTurn | None = None
    reason: Reason | None = None
    answer: str = ""
