"""What an explorer tells and finds, written into the journal so that a run can go on from there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.ending import Ending
from edge_agent.agent.records import (
    RunEvent,
    Step,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
)
from edge_agent.agent.refine.evidence import Evidence, Fact
from edge_agent.agent.runs.calls import CallBook
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.journal import RunJournal
from edge_agent.errors import StoreError
from edge_agent.store.pages import page_hash
from edge_agent.tools.base import Page

log = logging.getLogger(__name__)


class Recorder:
    """Takes an explorer's `emit` and `record`; `steps` are all that are recorded."""

    def __init__(
        self,
        journal: RunJournal,
        codec: ResultCodec,
        budget: Budget,
        book: CallBook,
        steps: tuple[Step, ...] = (),
    ) -> None:
        self.steps = list(steps)
        self._journal = journal
        self._codec = codec
        self._budget = budget
        self._book = book
        self._evidence = Evidence()
        self._n_facts = 0
        self._pages: dict[Page, str] = {}
        self._begin_turn()

    def watch(self, evidence: Evidence) -> None:
        """The facts of the run; those in it are recorded already."""
        self._evidence = evidence
        self._n_facts = len(evidence)

    def emit(self, event: RunEvent) -> None:
        """Deltas are told only: a turn and its step hold the whole text."""
        if isinstance(event, ThoughtDelta | TextDelta):
            self._written[type(event)] += event.text
            self._journal.tell(event)
            return
        if isinstance(event, StepStarted):
            self._begin_turn()
        if isinstance(event, ToolCalled):
            self._take_turn(event.step)
        # the calls of a turn are on the disk together with it, before the first of them is made
        self._journal.write_event(event, held=isinstance(event, ToolCalled))

    def record(self, step: Step) -> None:
        """A step is over, with all it found."""
        self.steps.append(step)
        facts = [fact for fact in self._evidence if fact.number > self._n_facts]
        payload = {"step": asdict(step), "facts": [self._fact(fact) for fact in facts]}
        self._journal.write("step", {**payload, **self._spent()})
        self._n_facts += len(facts)
        self._book.forget()

    def adopt(self, steps: tuple[Step, ...], evidence: Evidence) -> None:
        """Take over what an attempt did and found that was not recorded here."""
        self.steps = list(steps)
        facts = [self._fact(fact) for fact in evidence]
        self._journal.write("given", {"facts": facts, "hits": []})

    def end(self, ending: Ending) -> None:
        """Exploring is over."""
        self._journal.write("ending", {"reason": ending.reason, "answer": ending.answer})

    def _begin_turn(self) -> None:
        self._written: dict[type[RunEvent], str] = {ThoughtDelta: "", TextDelta: ""}
        self._turn_taken = False

    def _take_turn(self, step: int) -> None:
        if self._turn_taken:
            return
        self._turn_taken = True
        written = {"thought": self._written[ThoughtDelta], "text": self._written[TextDelta]}
        self._journal.hold("turn", {"step": step, **written, **self._spent()})

    def _spent(self) -> dict[str, Any]:
        marked = [fact.number for fact in self._evidence if self._evidence.is_marked(fact)]
        return {"marked": marked, "usage": asdict(self._budget.usage())}

    def _fact(self, fact: Fact) -> Mapping[str, Any]:
        page, passage = fact.page, fact.passage
        return {
            "number": fact.number,
            "page": self._page_id(page),
            "url": page.url,
            "title": page.title,
            "source": page.source,
            "position": passage.position,
            "text": passage.text,
            "context": passage.context,
        }

    def _page_id(self, page: Page) -> str:
        if page not in self._pages:
            try:
                self._pages[page] = self._codec.keep(page)
            except StoreError as error:
                log.error("the page %s could not be kept: %s", page.url, error)
                return page_hash(page.url, page.title, page.text)
        return self._pages[page]
