"""Tools that are written down, and answered from what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.runs.calls import CallBook
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.journal import RunJournal
from edge_agent.agent.runs.replay import Replay
from edge_agent.errors import SearchError, ToolError
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import FetchFailure, Page, SearchHit, SearchResults, Tool

from ..fakes import HARBOUR, World

QUERY = {"query": ["Thrift"]}
READ = {"url": ["http://h/bell", "http://h/gone"], "purpose": "the weight"}


class Scene:
    """A run's store and journal, and a world."""

    def __init__(self, folder: Path, **world: Any) -> None:
        self.store = RunStore(open_journal(folder / "journal.sqlite"))
        self.store.create("r", "t", "m", "2026-01-01", {})
        self.codec = ResultCodec(self.store.pages)
        self.world = World(HARBOUR, **world)

    def tools(self, *made: Any) -> dict[str, Tool]:
        journal = RunJournal(self.store, "r", len(self.store.get("r").events))
        return CallBook(journal, self.codec, made).recorded(self.world.tools())

    def done(self) -> list[dict[str, Any]]:
        return [e.payload for e in self.store.get("r").events if e.kind == "tool_done"]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.store.get("r").events]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize(("tool", "arguments"), [("search", QUERY), ("fetch_url", READ)])
async def test_a_recorded_call_is_answered_with_the_very_same_and_not_made(
    scene: Scene, tool: str, arguments: dict[str, Any]
) -> None:
    first = await scene.tools()[tool].call(arguments)
    assert scene.kinds() == ["tool_begun", "tool_done"]
    n_made = len(scene.world.searched) + len(scene.world.read)
    again = await scene.tools(*scene.done())[tool].call(arguments)
    assert again == first
    assert len(scene.world.searched) + len(scene.world.read) == n_made
    assert scene.kinds() == ["tool_begun", "tool_done"]  # it is in the journal already


async def test_pages_are_in_the_journal_by_their_id_only(scene: Scene) -> None:
    page, failure = await scene.tools()["fetch_url"].call(READ)
    recorded, failed = scene.done()[0]["result"]
    assert isinstance(page, Page) and isinstance(failure, FetchFailure)
    assert page.text not in str(recorded)
    assert scene.codec.page(recorded["id"]) == page
    assert failed["message"] == failure.message


async def test_each_recorded_call_is_reused_once(scene: Scene) -> None:
    await scene.tools()["search"].call(QUERY)
    tools = scene.tools(*scene.done())
    await tools["search"].call(QUERY)
    await tools["search"].call(QUERY)
    assert scene.world.searched == ["Thrift", "Thrift"]


async def test_a_call_with_other_arguments_is_made(scene: Scene) -> None:
    await scene.tools()["search"].call(QUERY)
    await scene.tools(*scene.done())["search"].call({"query": ["bell"]})
    assert scene.world.searched == ["Thrift", "bell"]


async def test_what_was_forgotten_is_made_again(scene: Scene) -> None:
    await scene.tools()["search"].call(QUERY)
    journal = RunJournal(scene.store, "r", 2)
    book = CallBook(journal, scene.codec, scene.done())
    book.forget()
    await book.recorded(scene.world.tools())["search"].call(QUERY)
    assert scene.world.searched == ["Thrift", "Thrift"]


async def test_a_recorded_error_is_raised_again_with_its_sentence(tmp_path: Path) -> None:
    async def search(query: list[str]) -> None:
        """Search."""
        raise SearchError("All engines are down: try later.")

    scene = Scene(tmp_path)
    for made in ((), None):
        journal = RunJournal(scene.store, "r", len(scene.kinds()))
        book = CallBook(journal, scene.codec, scene.done() if made is None else made)
        with pytest.raises(ToolError, match=r"All engines are down: try later\."):
            await book.recorded({"search": Tool.of(search)})["search"].call(QUERY)
    assert scene.kinds() == ["tool_begun", "tool_done"]


async def test_a_page_that_left_the_store_is_read_again(scene: Scene) -> None:
    lost = {"is": "page", "id": "0" * 16, "fetched_at": ""}
    made = {"tool": "fetch_url", "arguments": READ, "result": [lost]}
    pages = await scene.tools(made)["fetch_url"].call(READ)
    assert [type(page) for page in pages] == [Page, FetchFailure]


async def test_what_no_tool_returns_is_given_but_not_recorded_as_done(scene: Scene) -> None:
    async def odd() -> object:
        """Odd."""
        return scene

    journal = RunJournal(scene.store, "r")
    tool = CallBook(journal, scene.codec).recorded({"odd": Tool.of(odd)})["odd"]
    assert await tool.call({}) is scene
    assert scene.kinds() == ["tool_begun"]


@pytest.mark.parametrize(
    "result",
    [
        None,
        "text \ud83d",
        [1, 2.5, True],
        {"a": [SearchHit("u", "t", "s", "x", "2020")], "is": "not a tag"},
        [SearchResults("q", (SearchHit("u", "t", "s", "x"),), "e", (("e", "down"),))],
        [FetchFailure("u", "status", "gone")],
    ],
)
def test_results_come_back_as_they_went_in(scene: Scene, result: Any) -> None:
    scene.store.append("r", "tool_done", {"result": scene.codec.to_json(result)})
    assert scene.codec.from_json(scene.done()[0]["result"]) == result


async def test_a_page_that_was_read_before_comes_from_the_store(scene: Scene) -> None:
    page, _ = await scene.tools()["fetch_url"].call(READ)
    replay = Replay(scene.store.get("r").events)
    assert list(replay.read) == ["http://h/bell"]  # and nothing of the one that is gone
    n_read = len(scene.world.read)
    journal = RunJournal(scene.store, "r", replay.seq)
    tools = CallBook(journal, scene.codec, (), replay.read).recorded(scene.world.tools())
    again = {"url": ["http://h/bell"], "purpose": "another"}
    assert await tools["fetch_url"].call(again) == [page]
    assert len(scene.world.read) == n_read
    assert scene.done()[-1]["arguments"] == again  # and is on record as any other
    gone = CallBook(journal, scene.codec, (), {"http://h/bell": "no such page"})
    await gone.recorded(scene.world.tools())["fetch_url"].call(again)
    assert len(scene.world.read) == n_read + 1
