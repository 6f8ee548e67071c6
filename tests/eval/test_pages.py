"""The agent's tools as an arm without an agent has them, over a real web."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.cli.browsing import open_browsing
from edge_agent.cli.engines import open_engines
from edge_agent.cli.house import ToolsFor
from edge_agent.cli.reach import reach_of
from edge_agent.config import load_settings
from edge_agent.errors import SearchError
from edge_agent.eval.pages import ToolPages
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.tools.base import FetchFailure, Page

from .localweb import HARBOUR, serving


@asynccontextmanager
async def over(url: str, folder: Path) -> AsyncIterator[ToolPages]:
    """The pages of who was given `url` as --search."""
    reach = reach_of(load_settings(), [], [url])
    journal = open_journal(folder / "journal.sqlite")
    settings = load_settings(cache_dir=folder)
    async with (
        open_browsing(settings, reach.allow_hosts) as browsing,
        open_engines(settings, reach) as engines,
    ):
        tools_for = ToolsFor(reach, engines, browsing, PageStore(journal))
        yield ToolPages(lambda: tools_for(None))
    journal.close()


async def test_searching_and_reading_give_what_the_web_holds(tmp_path: Path) -> None:
    with serving() as web:
        async with over(web.url, tmp_path) as pages:
            hits = await pages.search("Stennowe herring", 2)
            read = await pages.read([hit.url for hit in hits])
            assert await pages.search("xyzzy", 2) == []
    assert [hit.title for hit in hits] == ["Ane Pollock", "Fish market"]
    texts = [page.text for page in read if isinstance(page, Page)]
    assert [HARBOUR[hit.title] in text for hit, text in zip(hits, texts, strict=True)] == [True] * 2


async def test_more_than_one_call_takes_are_read_in_order(tmp_path: Path) -> None:
    with serving({f"P{i}": f"Page {i} has a sentence of its own." for i in range(5)}) as web:
        async with over(web.url, tmp_path) as pages:
            read = await pages.read([f"{web.url}/wiki/P{i}" for i in range(5)])
    assert [page.title for page in read if isinstance(page, Page)] == [f"P{i}" for i in range(5)]


async def test_another_port_of_the_same_host_stays_closed(tmp_path: Path) -> None:
    with serving() as web, serving() as other:
        async with over(web.url, tmp_path) as pages:
            own, foreign = await pages.read(
                [f"{url}/wiki/Ane%20Pollock" for url in (web.url, other.url)]
            )
        assert isinstance(own, Page) and other.asked == []
    assert isinstance(foreign, FetchFailure) and foreign.kind == "refused"


def test_a_search_without_a_port_opens_one_port_only() -> None:
    urls = ["http://127.0.0.1", "https://searx.example.org/search", "http://[::1]", "http://h:8888"]
    reach = reach_of(load_settings(), [], urls)
    assert reach.allow_hosts[-4:] == ("127.0.0.1:80", "searx.example.org:443", "[::1]:80", "h:8888")


async def test_a_search_that_is_down_is_an_error(tmp_path: Path) -> None:
    with serving(search_status=500) as web:
        async with over(web.url, tmp_path) as pages:
            with pytest.raises(SearchError, match="500"):
                await pages.search("herring", 5)
