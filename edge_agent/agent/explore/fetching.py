"""Reading pages for the model: each once for a purpose, and none that carries words away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_agent.agent.explore.arguments import at_once
from edge_agent.agent.explore.outcome import Outcome, as_repeated, outcome_of
from edge_agent.agent.explore.together import answers
from edge_agent.agent.explore.trail import Trail
from edge_agent.agent.explore.turn import FETCH, Call
from edge_agent.tools.base import FetchFailure, Page, Tool


class Fetching:
    """Reads what calls name. Methods raise ToolError when nothing could be asked for."""

    def __init__(self, tools: Mapping[str, Tool], trail: Trail) -> None:
        self._tools = tools
        self._trail = trail
        self._guard = trail.guard

    async def read(self, call: Call) -> Outcome:
        """What a call of the model names; a page that was read before for a new purpose only."""
        purpose = str(call.arguments.get("purpose") or "")
        wanted, later = at_once(self._trail.urls(call.arguments.get("url")))
        urls, withheld = self._let_out(wanted)
        if withheld and not urls:
            return outcome_of(call, withheld, f"Error: {withheld}", error=withheld)
        gone = [url for url in urls if self._guard.failure_of(url)]
        again = [u for u in urls if self._guard.was_read(u) and u not in gone]
        again = [url for url in again if self._guard.is_new_purpose(url, purpose)]
        new = [url for url in urls if self._guard.is_new_url(url)]
        for url in new:
            self._guard.is_new_purpose(url, purpose)
        if not new and not again:
            return await self.next_unread(call, self._why_not(gone), purpose)
        before = "Read again, for this purpose." if again else ""
        text = " ".join(filter(None, [before, later, withheld]))
        return await self.fetch(call, [*new, *again], purpose, text)

    def _let_out(self, wanted: Sequence[str]) -> tuple[list[str], str]:
        """What may be fetched, and what is said of the rest: nothing of the run leaves in a URL."""
        why = {url: self._trail.provenance.refusal(url) for url in wanted}
        held = [f"{url} was not fetched: {reason}." for url, reason in why.items() if reason]
        told = f"{' '.join(held)} Search, or take an address as it stands." if held else ""
        return [url for url in wanted if not why[url]], told

    def _why_not(self, gone: Sequence[str]) -> str:
        failures = [f"{url} could not be read: {self._guard.failure_of(url)}" for url in gone]
        return " ".join(failures) or "This was read before."

    async def next_unread(self, call: Call, why: str, purpose: str) -> Outcome:
        """A repeated call reads the next result instead: that is never wasted."""
        unread = self._trail.unread()
        if not unread:
            text = f"{why} Nothing unread is left: search for something else, or answer."
            return as_repeated(outcome_of(call, why, text))
        url = unread[0][1].url
        self._guard.is_new_url(url)
        text = f"{why} Instead, the next unread result was read."
        return as_repeated(await self.fetch(call, [url], purpose, text))

    async def fetch(
        self, call: Call, urls: Sequence[str], purpose: str, text: str, line: str = ""
    ) -> Outcome:
        """Read these for a call. text: what the model is told beside; line: the record, if not the
        same."""
        # each page is a call of its own: what came of it is on record as soon as it is there
        one_by_one = ({"url": [url], "purpose": purpose} for url in urls)
        read: list[Page | FetchFailure] = await answers(self._tools[FETCH], one_by_one)
        pages = tuple(page for page in read if isinstance(page, Page))
        failures = [failure for failure in read if isinstance(failure, FetchFailure)]
        failed = [f"{failure.url} could not be read: {failure.message}" for failure in failures]
        guessed = self._note_read(urls, read)
        mark = " (a guessed address)"
        titles = [f"read “{p.title}”{mark if p.url in guessed else ''}" for p in pages]
        result = "; ".join(filter(None, [line or text, *titles, *failed]))
        error = failures[0].message if failures and not pages else None
        warned = [f"{url} was guessed: {_why_guessed(linked)}" for url, linked in guessed.items()]
        told = "\n".join(filter(None, [text, *warned, *failed]))
        return outcome_of(call, result, told, pages, purpose, error)

    def _note_read(
        self, urls: Sequence[str], read: Sequence[Page | FetchFailure]
    ) -> dict[str, bool]:
        """Remember what was read. The addresses of pages that neither the user nor a search gave,
        and whether at least a page did."""
        guessed: dict[str, bool] = {}
        for asked, got in zip(urls, read, strict=False):  # in the order they were asked for
            if isinstance(got, FetchFailure):
                self._guard.note_failure(asked, got.message)
            elif (linked := self._trail.note_read(asked, got)) is not None:
                guessed[got.url] = linked
        self._trail.provenance.guess(url for url, linked in guessed.items() if not linked)
        return guessed


def _why_guessed(linked: bool) -> str:
    if linked:
        return "only a page names it, not the question nor a search."
    return "no tool named it, so it proves nothing."
