"""A website is crawled once, within its bounds, and is no emptier for being down."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import LibraryError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.website import CrawlLimits, Memo, Website
from edge_agent.tools.web.client import WebClient

PAGES = {
    "/docs/": "Home <a href='lamp'>lamp</a> <a href='/docs/quay?b=2&a=1#top'>quay</a>"
    "<a href='/docs/quay?a=1&b=2'>quay again</a> <a href='/private/'>out</a>"
    "<a href='/docs/secret'>no robots</a> <a href='http://localhost:9/docs/x'>other</a>"
    "<a href='mailto:a@b.example'>mail</a> <a href='http://[x'>odd</a>"
    "<a href='old'>old</a> <a rel='nofollow' href='ad'>ad</a>",
    "/docs/lamp": "The lamp was lit in 1871. <a href='deep/one'>on</a>",
    "/docs/quay?b=2&a=1": "The quay is of oak.",
    "/docs/deep/one": "One fathom. <a href='two'>on</a>",
    "/docs/deep/two": "Two fathoms.",
    "/docs/secret": "Nobody may read this.",
    "/docs/ad": "Buy lamps.",
    "/private/": "Outside of the folder.",
    "/robots.txt": "User-agent: *\nDisallow: /docs/secret\n",
}


class Site:
    """A small website; `down` pages answer 503. tags: whether pages have one, by which a client may
    know them; whole: the pages that were sent with a body."""

    def __init__(self) -> None:
        self.pages = dict(PAGES)
        self.down: set[str] = set()
        self.asked: list[tuple[str, float]] = []
        self.tags = False
        self.whole: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, time.monotonic()))
                text = site.pages.get(self.path)
                if self.path == "/docs/old":
                    self.send_response(302)
                    self.send_header("Location", "/private/")
                    self.end_headers()
                    return
                plain = self.path == "/robots.txt"
                tag = f'"{zlib.crc32((text or "").encode())}"' if site.tags and not plain else ""
                if tag and self.headers.get("If-None-Match") == tag:
                    self.send_response(304)
                    self.end_headers()
                    return
                self.send_response(503 if self.path in site.down else 200 if text else 404)
                if tag:
                    self.send_header("ETag", tag)
                site.whole += [] if plain else [self.path]
                self.send_header("Content-Type", "text/plain" if plain else "text/html")
                self.end_headers()
                head = "" if plain else f"<title>{self.path}</title><body><main><p>"
                self.wfile.write(f"{head}{text}".encode())

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked if path != "/robots.txt"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def crawled(site: Site, folder: Path, **limits: float) -> Library:
    bounds = CrawlLimits(**{"apart_s": 0.0, **limits})  # type: ignore[arg-type]
    start = f"http://{site.host}/docs/"
    source = Website(start, lambda: WebClient(allow_hosts=[site.host]), bounds)
    return Library("docs", source, folder / "docs.sqlite", follow=False)


async def test_pages_of_the_folder_are_found_under_their_own_addresses(
    site: Site, tmp_path: Path
) -> None:
    library = crawled(site, tmp_path)
    hit_url = f"http://{site.host}/docs/lamp"
    refreshed = await asyncio.to_thread(library.refresh)
    assert refreshed.documents == 5
    assert sorted(set(site.paths)) == sorted([
        "/docs/", "/docs/lamp", "/docs/quay?b=2&a=1", "/docs/deep/one", "/docs/deep/two",
        "/docs/old", "/private/",
    ])  # fmt: skip
    assert len(site.paths) == 7  # each once
    (hit,) = await library.search("when was it lit", 1)
    assert hit.url == hit_url and await library.holds(hit_url)
    assert "lit in 1871" in (await library.fetch(hit_url)).text
    why = dict(refreshed.problems)
    assert "robots" in why["docs/secret"] and "not of this site" in why["docs/old"]


def test_limits_end_it_and_nothing_is_dropped_for_that(site: Site, tmp_path: Path) -> None:
    assert crawled(site, tmp_path).refresh().documents == 5
    again = crawled(site, tmp_path, pages=2).refresh()
    assert (again.documents, again.changed, again.removed) == (5, 0, 0)
    assert "links not followed" in again.problems[0][1]
    (tmp_path / "b").mkdir()
    assert crawled(site, tmp_path / "b", depth=1).refresh().documents == 3


def test_a_page_that_is_gone_goes_and_one_that_is_down_stays(site: Site, tmp_path: Path) -> None:
    crawled(site, tmp_path).refresh()
    del site.pages["/docs/deep/two"]
    site.pages["/docs/lamp"] += " It was put out in 1950."
    changed = crawled(site, tmp_path).refresh()
    assert (changed.documents, changed.changed, changed.removed) == (4, 1, 1)
    site.down = {"/docs/lamp"}  # and what only it links to
    down = crawled(site, tmp_path).refresh()
    assert (down.documents, down.removed) == (4, 0)
    site.down = {"/docs/"}
    library = crawled(site, tmp_path)
    with pytest.raises(LibraryError, match="503"):
        library.refresh()
    assert library.counts()[0] == 4


def test_what_has_not_changed_is_not_sent_again_and_its_links_are_followed(
    site: Site, tmp_path: Path
) -> None:
    site.tags = True
    first = crawled(site, tmp_path).refresh()
    assert (first.documents, first.changed) == (5, 5)
    paths, site.whole = site.paths, []
    site.asked.clear()
    again = crawled(site, tmp_path).refresh()
    assert (again.documents, again.changed, again.removed) == (5, 0, 0)
    assert site.paths == paths and site.whole == ["/private/"]  # no page of this site
    site.pages["/docs/deep/two"] += " And three."
    site.whole.clear()
    changed = crawled(site, tmp_path).refresh()
    assert (changed.documents, changed.changed) == (5, 1)
    assert site.whole == ["/private/", "/docs/deep/two"]


def test_a_page_that_another_reader_has_read_is_sent_again(site: Site, tmp_path: Path) -> None:
    site.tags = True
    crawled(site, tmp_path).refresh()
    index = LibraryIndex(tmp_path / "docs.sqlite")
    known = index.known()
    old = {path: json.loads(one.memo) | {"reader": "0"} for path, one in known.items()}
    index.update([], memos={path: json.dumps(memo) for path, memo in old.items()})
    site.whole.clear()
    crawled(site, tmp_path).refresh()
    assert len(site.whole) == 6 and index.known() == known  # what they know is of today again
    index.close()


@pytest.mark.parametrize("memo", ["", "[]", "{}", '{"links": 1}', "null", '{"asked": "x"}'])
def test_a_memo_that_says_nothing_is_none(memo: str) -> None:
    assert Memo.of(memo) is None


def test_it_waits_between_two_requests(site: Site, tmp_path: Path) -> None:
    crawled(site, tmp_path, apart_s=0.1, pages=3).refresh()
    times = [when for path, when in site.asked if path != "/robots.txt"]
    assert all(later - before >= 0.09 for before, later in itertools.pairwise(times))
