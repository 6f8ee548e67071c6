"""A second visit asks whether the page changed, and believes the answer."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from edge_agent.errors import FetchError
from edge_agent.store.visits import VisitStore, open_visits
from edge_agent.tools.browse.web_pages import WebPages
from edge_agent.tools.web.client import WebClient, WebLimits
from tests.tools.fakes import Answer, FaultyWeb, Reply, fixed

LIMITS = WebLimits()
DATE = "Wed, 01 May 2024 10:00:00 GMT"


class Changing:
    """A page with a tag and a date, whose text is `text`; remembers what it was asked."""

    def __init__(self, **headers: str) -> None:
        self.text = "The lamp was lit in 1871."
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.asked: list[tuple[str, str]] = []

    def __call__(self, handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
        tag, date = handler.headers.get("If-None-Match"), handler.headers.get("If-Modified-Since")
        self.asked.append((tag or "", date or ""))
        own = self.headers.get("ETag", ""), self.headers.get("Last-Modified", "")
        if (tag or date) and (tag or "", date or "") == own:
            return Reply(status=304, headers=self.headers)
        return Reply(f"<main><p>{self.text}</p></main>".encode(), headers=self.headers)


@pytest.fixture
def visits(tmp_path: Path) -> Iterator[VisitStore]:
    database = open_visits(tmp_path / "visits.sqlite")
    yield VisitStore(database, 1_000_000)
    database.close()


async def twice(page: Changing, visits: VisitStore, change: str = "") -> tuple[str, str]:
    """What it says on a first visit, and on one of another day."""
    with FaultyWeb({"/page": page}) as site:
        async with WebClient([site.host], LIMITS, robots_off=["*"]) as web:
            first = (await WebPages(web, visits).fetch(f"{site.url}/page")).text
            page.text = change or page.text
            return first, (await WebPages(web, visits).fetch(f"{site.url}/page")).text


async def test_a_page_that_did_not_change_is_not_sent_again(visits: VisitStore) -> None:
    page = Changing(ETag='"v1"', Last_Modified=DATE)
    first, second = await twice(page, visits)
    assert first == second == "The lamp was lit in 1871."
    assert page.asked == [("", ""), ('"v1"', DATE)]


async def test_a_page_that_changed_is_read_anew(visits: VisitStore) -> None:
    page = Changing(ETag='"v1"')
    with FaultyWeb({"/page": page}) as site:
        async with WebClient([site.host], LIMITS, robots_off=["*"]) as web:
            await WebPages(web, visits).fetch(f"{site.url}/page")
            page.text, page.headers = "It went out in 1930.", {"ETag": '"v2"'}
            assert (await WebPages(web, visits).fetch(f"{site.url}/page")).text == page.text
            again = await WebPages(web, visits).fetch(f"{site.url}/page")
    assert again.text == "It went out in 1930."
    assert page.asked == [("", ""), ('"v1"', ""), ('"v2"', "")]


async def test_what_its_server_calls_good_is_not_asked_for(visits: VisitStore) -> None:
    page = Changing(Cache_Control="public, max-age=600")
    first, second = await twice(page, visits, "Something else.")
    assert first == second and len(page.asked) == 1


@pytest.mark.parametrize("control", ["no-store", "private, max-age=600"])
async def test_what_must_not_be_kept_is_not(visits: VisitStore, control: str) -> None:
    page = Changing(Cache_Control=control, ETag='"v1"')
    first, second = await twice(page, visits, "Something else.")
    assert (first, second) == ("The lamp was lit in 1871.", "Something else.")
    assert page.asked == [("", ""), ("", "")]


async def test_a_page_without_tag_or_date_is_read_again(visits: VisitStore) -> None:
    page = Changing()
    assert (await twice(page, visits, "Something else."))[1] == "Something else."


async def test_a_tag_goes_to_the_page_it_belongs_to_behind_a_redirect(visits: VisitStore) -> None:
    page = Changing(ETag='"v1"')
    hops: list[str | None] = []

    def to(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
        hops.append(handler.headers.get("If-None-Match"))
        return Reply(status=302, headers={"Location": "/page"})

    with FaultyWeb({"/page": page, "/to": to}) as site:
        async with WebClient([site.host], LIMITS, robots_off=["*"]) as web:
            for _ in range(2):
                got = await WebPages(web, visits).fetch(f"{site.url}/to")
                assert got.url == f"{site.url}/page" and got.text
    assert hops == [None, None] and page.asked == [("", ""), ('"v1"', "")]


async def test_a_kept_page_is_refused_like_any_other(visits: VisitStore) -> None:
    """What was read when its host was allowed is not shown when it no longer is."""
    page = Changing(Cache_Control="max-age=600")
    with FaultyWeb({"/page": page}) as site:
        async with WebClient([site.host], LIMITS, robots_off=["*"]) as web:
            await WebPages(web, visits).fetch(f"{site.url}/page")
        async with WebClient(limits=LIMITS) as web:
            with pytest.raises(FetchError) as caught:
                await WebPages(web, visits).fetch(f"{site.url}/page")
    assert caught.value.kind == "refused"


SCRIPTED = """<html><head><title>App</title></head><body>{}<div id="root"></div>
<script src="/app.js"></script></body></html>"""


class Typist:
    """A renderer that shows what it was given."""

    def __init__(self, answer: str | FetchError) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def rendered(self, url: str) -> str:
        self.asked.append(url)
        if isinstance(self._answer, FetchError):
            raise self._answer
        return self._answer


def scripted(said: str = "") -> FaultyWeb:
    return FaultyWeb({"/app": lambda handler, query: Reply(SCRIPTED.format(said).encode())})


async def test_a_page_that_scripts_make_is_read_as_they_make_it(visits: VisitStore) -> None:
    typist = Typist("<main><h1>Tide table</h1><p>High water at 06:40.</p></main>")
    with scripted() as site:
        async with WebClient([site.host], LIMITS) as web:
            page = await WebPages(web, visits, typist).fetch(f"{site.url}/app")
    assert "High water at 06:40." in page.text and typist.asked == [f"{site.url}/app"]


async def test_without_a_renderer_the_result_says_what_is_missing(visits: VisitStore) -> None:
    with scripted() as bare, scripted("<p>Enable scripts.</p>") as told:
        async with WebClient([bare.host, told.host], LIMITS) as web:
            with pytest.raises(FetchError, match=r"install edge-agent\[render\]") as caught:
                await WebPages(web, visits).fetch(f"{bare.url}/app")
            page = await WebPages(web, visits).fetch(f"{told.url}/app")
    assert caught.value.kind == "empty"
    assert page.text.startswith("Enable scripts.") and "were not run" in page.text


async def test_a_renderer_that_fails_says_why_and_the_rest_is_kept(visits: VisitStore) -> None:
    broken = Typist(FetchError("There is no Chromium.", "", "unsupported"))
    with scripted("<p>Enable scripts.</p>") as site:
        async with WebClient([site.host], LIMITS) as web:
            page = await WebPages(web, visits, broken).fetch(f"{site.url}/app")
    assert "Enable scripts." in page.text and "There is no Chromium." in page.text


async def test_a_short_page_with_a_script_beside_it_is_rendered_and_a_long_one_is_not(
    visits: VisitStore,
) -> None:
    typist = Typist("<p>never</p>")
    with scripted(f"<p>{'A page of many words. ' * 30}</p>") as site:
        async with WebClient([site.host], LIMITS) as web:
            await WebPages(web, visits, typist).fetch(f"{site.url}/app")
    assert typist.asked == []


def sends_to(url: str, seconds: int = 0, words: str = "") -> Answer:
    meta = f'<meta http-equiv="Refresh" content="{seconds}; URL=\'{url}\'">'
    return fixed(Reply(f"<html><head>{meta}</head><body>{words}</body></html>".encode()))


async def test_a_page_that_sends_its_reader_on_is_followed_and_checked() -> None:
    routes = {
        "/old": sends_to("/older"),
        "/older": sends_to("page"),
        "/page": fixed(Reply(b"<p>The lamp was lit in 1871.</p>")),
        "/round": sends_to("/there"),
        "/there": sends_to("/round"),
        "/inside": sends_to("http://127.0.0.1:1/"),
        "/file": sends_to("file:///etc/passwd", words="Words."),
        "/later": sends_to("/page", 30, "Soon."),
        "/full": sends_to("/page", 0, "Many words of a page that is read. " * 20),
    }
    with FaultyWeb(routes) as site:
        async with WebClient([site.host], LIMITS, robots_off=["*"]) as web:
            pages = WebPages(web)
            assert (await pages.fetch(f"{site.url}/old")).url == f"{site.url}/page"
            assert (await pages.fetch(f"{site.url}/file")).text == "Words."
            assert (await pages.fetch(f"{site.url}/later")).text == "Soon."
            assert "Many words" in (await pages.fetch(f"{site.url}/full")).text
            for path, kind in (("/round", "unreachable"), ("/inside", "refused")):
                with pytest.raises(FetchError) as caught:
                    await pages.fetch(site.url + path)
                assert caught.value.kind == kind
