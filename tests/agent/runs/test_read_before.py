"""What a run had read before it was cut off comes out of the store, not from the web again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.explore.profile import PROFILES, Profile
from edge_agent.agent.runs.service import AgentService
from edge_agent.errors import FetchError
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Page, SearchHit
from edge_agent.tools.browse.browser import Browser
from edge_agent.tools.search.chain import SearchChain
from edge_agent.tools.toolbox import make_tools
from edge_agent.tools.web.client import WebClient
from tests.patience import until

from ..fakes import HARBOUR, FakeChat, Says, search, title
from .house import PLAIN, QUESTION, ended

BELL, THRIFT, GONE = "http://h/bell", "http://h/thrift", "http://h/gone"


class Shut:
    """A library of pages, one of which does not come while it is shut. `fetched` counts all."""

    def __init__(self, shut: str = "") -> None:
        self.shut = shut
        self.fetched: Counter[str] = Counter()

    name = "shut"

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        return [SearchHit(url, title(url), "", "shut") for url in (BELL, GONE, THRIFT)]

    async def holds(self, url: str) -> bool:
        return True

    async def fetch(self, url: str) -> Page:
        self.fetched[url] += 1
        if url == self.shut:
            await asyncio.Event().wait()
        if url == GONE:
            raise FetchError(f"{url} answered 404: take another result.", url, "status")
        return Page(url, title(url), HARBOUR[url], "text/html", "shut", "2026-01-01T00:00:00Z")


class Place:
    """A journal on the disk, a real browser over it, and services that come and go."""

    def __init__(self, folder: Path, web: WebClient) -> None:
        self.journal = open_journal(folder / "journal.sqlite")
        self.store = RunStore(self.journal)
        self._web = web

    def service(self, shelf: Shut, chat: FakeChat, profile: Profile = PLAIN) -> AgentService:
        def tools_for(library: str | None) -> Any:
            browser = Browser(self._web, self.store.pages, {"shut": shelf})
            return make_tools(SearchChain([shelf]), browser)

        return AgentService(chat, profile, tools_for, self.store, None)

    def n_read(self, run_id: str) -> int:
        """Pages whose reading is on record."""
        events = self.store.get(run_id).events
        return sum(e.kind == "tool_done" and "url" in e.payload["arguments"] for e in events)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with WebClient([]) as web:
        made = Place(tmp_path, web)
        yield made
        made.journal.close()


async def test_a_step_that_was_cut_off_while_it_read_fetches_only_what_is_missing(
    place: Place,
) -> None:
    before, after = Shut(THRIFT), Shut()
    first = place.service(before, FakeChat([search("x")]))
    run_id = first.submit(QUESTION).id
    await until(lambda: place.n_read(run_id) == 2)  # the third never comes
    await first.close()
    assert before.fetched == {BELL: 1, GONE: 1, THRIFT: 1}
    chat = FakeChat([search("Thrift builder")], ["Ane Pollock"])
    second = place.service(after, chat)
    assert second.recover() == [run_id]
    run = await ended(second, run_id)
    await second.close()
    assert after.fetched == {THRIFT: 1}
    assert (run.status, run.answer) == ("completed", "Ane Pollock")
    assert [note.title for note in run.steps[0].notes] == ["Bell", "Thrift"]
    assert "http://h/gone answered 404" in run.steps[0].actions[0].result


async def test_a_second_visit_after_a_restart_reads_the_store(place: Place) -> None:
    def reads(url: str, purpose: str, wait_s: float = 0.0) -> Says:
        call = ("fetch_url", {"url": [url], "purpose": purpose})
        return Says(calls=(call,), wait_s=wait_s)

    before, after = Shut(), Shut()
    way = PROFILES["agentcpm"]
    script = [reads(BELL, "who carried it"), reads(BELL, "the weight", wait_s=60)]
    first = place.service(before, FakeChat(script), way)
    run_id = first.submit(QUESTION).id
    await until(lambda: len(first.book.run(run_id).steps) == 1)
    await first.close()
    answer = Says("<answer>210 kilograms</answer>")
    chat = FakeChat([reads(BELL, "the weight"), reads(THRIFT, "the builder"), answer], ["210"])
    second = place.service(after, chat, way)
    second.recover()
    run = await ended(second, run_id)
    await second.close()
    assert before.fetched == {BELL: 1} and after.fetched == {THRIFT: 1}
    assert [step.notes[0].title for step in run.steps[:3]] == ["Bell", "Bell", "Thrift"]
