"""What a run has searched, found and read so far."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from edge_agent.agent.explore.arguments import texts
from edge_agent.agent.explore.found import Found
from edge_agent.agent.explore.guard import Guard
from edge_agent.agent.explore.provenance import Provenance, urls_in
from edge_agent.agent.explore.turn import FETCH, SEARCH, Call
from edge_agent.agent.records import Action
from edge_agent.agent.state import RunState
from edge_agent.tools.base import Page, SearchHit, SearchResults


class Trail:
    """What nothing has to be done for a second time, and what is left to be read.

    guard: queries and pages. found: results under their numbers. provenance: of addresses.
    """

    def __init__(self) -> None:
        self.guard = Guard()
        self.found = Found()
        self.provenance = Provenance()
        self._made: set[str] = set()  # calls, to the letter
        self._tried: dict[str, None] = {}  # in words, in order

    def restore(self, state: RunState) -> None:
        """Know what a run that was cut off had searched, found and read."""
        self.learn_hits(state.hits)
        for query in state.queries:
            self.guard.is_new_query(query)
        for url in state.urls:
            self.guard.is_new_url(url)
        for fact in state.facts:
            self.provenance.link_from(fact.page.text, own=fact.page.url)
        for action in (action for step in state.steps for action in step.actions):
            self.remember(Call(action.tool, action.arguments))
            self._restore_read(action)
        for note in (note for step in state.steps for note in step.notes):
            self.note_tried("read", note.title)

    def _restore_read(self, action: Action) -> None:
        if action.tool != FETCH:
            return
        purpose = str(action.arguments.get("purpose") or "")
        for url in self.urls(action.arguments.get("url")):
            self.guard.is_new_url(url)
            self.guard.is_new_purpose(url, purpose)
            self.provenance.guess([url])  # of which only those count that nothing has named
            if action.error:
                self.guard.note_failure(url, action.error)

    # calls

    def is_repeat(self, call: Call) -> bool:
        """Whether this very call was made before."""
        return letters(call) in self._made

    def remember(self, call: Call) -> None:
        """The call was answered."""
        self._made.add(letters(call))
        if call.tool == SEARCH:
            for query in texts(call.arguments.get("query"), SEARCH):
                self.note_tried("searched", query)

    @property
    def tried(self) -> tuple[str, ...]:
        """What was searched and read, in words, in order."""
        return tuple(self._tried)

    def note_tried(self, did: str, what: str) -> None:
        self._tried[f"{did} “{what}”"] = None

    # results

    def learn_hits(self, hits: Sequence[SearchHit]) -> list[int]:
        """A search found these, which have numbers from now on."""
        self.provenance.learn(hit.url for hit in hits)
        return self.found.add(hits)

    def unread(self) -> list[tuple[int, SearchHit]]:
        """Numbered results that were not read yet, in the order they were found."""
        return [
            (number, hit)
            for number, hit in enumerate(self.found.hits, 1)
            if not self.guard.was_read(hit.url)
        ]

    def take_best(self, results: Iterable[SearchResults], most: int) -> list[str]:
        """The best of these results that were not read yet, which are about to be."""
        hits = [hit for result in results for hit in result.hits]
        unread = [hit.url for hit in hits if not self.guard.was_read(hit.url)]
        return [url for url in unread[:most] if self.guard.is_new_url(url)]

    def named(self, task: str) -> list[str]:
        """Every address that the user or a search has named."""
        return [*urls_in(task), *(hit.url for hit in self.found.hits)]

    # pages

    def urls(self, references: Any) -> list[str]:
        """What a call names by number, title or address, each once. Raises ToolError."""
        wanted = [self.found.url_of(each) for each in texts(references, FETCH)]
        return list(dict.fromkeys(wanted))

    def note_read(self, asked: str, page: Page) -> bool | None:
        """Remember a page that was read. None when the user or a search gave its address; else it
        was guessed, and this is whether a page had named it."""
        self.guard.is_new_url(page.url)
        self.note_tried("read", page.title)
        linked = self.provenance.is_linked(asked)
        self.provenance.link_from(page.text, [link.url for link in page.links], page.url)
        if self.provenance.is_known(asked) or self.provenance.is_known(page.url):
            self.provenance.learn([page.url])  # where a known address leads
            return None
        return linked


def letters(call: Call) -> str:
    """What makes two calls the same call."""
    return json.dumps([call.tool, dict(call.arguments)], sort_keys=True, default=str)
