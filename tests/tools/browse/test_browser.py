"""From a URL to a stored page, over a real server and a real library."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge_agent.errors import FetchError
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.tools.browse.browser import Browser
from edge_agent.tools.web.client import WebClient, WebLimits
from tests.tools.fakes import FakeFetcher, FaultyWeb

NOTE = "library://isles/note.md"


@pytest.fixture(scope="module")
def site() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


@pytest.fixture
def pages(tmp_path: Path) -> PageStore:
    return PageStore(open_journal(tmp_path / "journal.db"))


@pytest.fixture
async def browser(site: FaultyWeb, pages: PageStore) -> AsyncIterator[Browser]:
    async with WebClient([site.host], WebLimits(max_bytes=1_000_000)) as web:
        yield Browser(web, pages, {"isles": FakeFetcher({NOTE: "From the library."})})


async def test_a_page_is_read_extracted_and_kept(
    browser: Browser, pages: PageStore, site: FaultyWeb
) -> None:
    page = await browser.fetch(f"{site.url}/redirect?to=/article")
    assert (page.url, page.title, page.source) == (
        f"{site.url}/article", "The Marrow Light", "web",
    )  # fmt: skip
    kept = pages.latest(page.url)
    assert kept is not None and kept.text == page.text
    assert "It stands on North Rock and has 132 steps." in page.text


async def test_a_page_is_read_once_in_a_run(browser: Browser, site: FaultyWeb) -> None:
    first = await browser.fetch(f"{site.url}/article")
    asked = len(site.requests)
    assert await browser.fetch(f" <{site.url}/article#steps> ") == first
    assert len(site.requests) == asked
    await browser.fetch(f"{site.url}/redirect?to=/article")
    assert len(site.requests) == asked + 2


async def test_a_url_without_a_scheme_is_understood(browser: Browser, site: FaultyWeb) -> None:
    assert (await browser.fetch(f"{site.host}/article")).url == f"{site.url}/article"


async def test_library_urls_go_to_the_library(browser: Browser, pages: PageStore) -> None:
    assert (await browser.fetch(NOTE)).text == "From the library."
    assert pages.latest(NOTE) is not None
    with pytest.raises(FetchError, match="no library 'moon'; there is: isles"):
        await browser.fetch("library://moon/a.md")


async def test_a_page_of_the_web_that_a_library_took_in_is_read_there(
    site: FaultyWeb, pages: PageStore
) -> None:
    taken = f"{site.url}/article"
    async with WebClient([site.host]) as web:
        browser = Browser(web, pages, {"isles": FakeFetcher({taken: "As it was taken in."})})
        assert (await browser.fetch(taken)).text == "As it was taken in."
        assert (await browser.fetch(f"{site.url}/gzip")).title == "The Marrow Light"


@pytest.mark.parametrize("url", ["The Marrow Light", "marrow", "", "a b.example/c"])
async def test_what_is_no_url_is_refused_with_advice(browser: Browser, url: str) -> None:
    with pytest.raises(FetchError, match="is not a URL: give one from the search") as caught:
        await browser.fetch(url)
    assert caught.value.kind == "invalid"


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/binary", "unsupported"), ("/image", "unsupported"), ("/script-only", "empty"),
     ("/missing", "status"), ("/bomb", "too_large")],
)  # fmt: skip
async def test_failures_keep_their_kind_and_nothing_is_kept(
    browser: Browser, pages: PageStore, site: FaultyWeb, path: str, kind: str
) -> None:
    with pytest.raises(FetchError) as caught:
        await browser.fetch(site.url + path)
    assert caught.value.kind == kind
    assert pages.latest(site.url + path) is None


async def test_a_page_of_a_long_document_stands_on_its_own(
    browser: Browser, pages: PageStore, site: FaultyWeb
) -> None:
    whole = await browser.fetch(f"{site.url}/long")
    asked = len(site.requests)
    second = await browser.fetch(f"{site.url}/long#page=2")
    assert len(site.requests) == asked
    assert second.url == f"{site.url}/long#page=2" and "(page 2 of 3)" in second.title
    assert second.text in whole.text and 4_000 < len(second.text) <= 12_000
    kept = pages.latest(second.url)
    assert kept is not None and kept.text == second.text
    with pytest.raises(FetchError, match="has 3 pages: there is no page 4"):
        await browser.fetch(f"{site.url}/long#page=4")


async def test_links_come_with_the_page(browser: Browser, site: FaultyWeb) -> None:
    page = await browser.fetch(f"{site.url}/links")
    assert [(link.url, link.text) for link in page.links] == [
        (f"{site.url}/lamp", "the lamp"),
        ("https://isles.example/keeper?id=7", "its keeper"),
    ]
