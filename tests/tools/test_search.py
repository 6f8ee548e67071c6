"""Engines answer or say why not; the chain asks in order and hides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ddgs import DDGS
from ddgs.engines import ENGINES
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from edge_agent.errors import SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search import DuckDuckGoSearch, SearchChain, SearxngSearch
from edge_agent.tools.web import WebClient, WebLimits
from tests.tools.fakes import FakeProvider, FaultyWeb, hit


@pytest.fixture(scope="module")
def site() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


@pytest.fixture
async def searxng(site: FaultyWeb) -> AsyncIterator[SearxngSearch]:
    async with WebClient(limits=WebLimits(1, 1, 2)) as web:
        yield SearxngSearch(web, site.url)


async def test_searxng_hits_are_read_and_name_their_engine(searxng: SearxngSearch) -> None:
    hits = await searxng.search("marrow light", 10)
    assert len(hits) == 10
    assert hits[0] == SearchHit(
        "https://a.example/0", "marrow light 0", "A snippet", "searxng/wiki", None
    )


async def test_searxng_with_nothing_found_is_empty(searxng: SearxngSearch) -> None:
    assert await searxng.search("nothing", 10) == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("blocked", r"engines failed \(google: CAPTCHA, bing: timeout\)"),
        ("forbidden", "add json to search.formats"),
        ("odd", "not SearXNG's"),
        ("broken", "not JSON"),
    ],
)
async def test_searxng_failures_are_sentences(
    searxng: SearxngSearch, query: str, sentence: str
) -> None:
    with pytest.raises(SearchError, match=sentence):
        await searxng.search(query, 10)


@pytest.mark.parametrize("suffix", ["", "/", "/search"])
async def test_an_instance_may_be_named_in_any_form(site: FaultyWeb, suffix: str) -> None:
    async with WebClient() as web:
        assert await SearxngSearch(web, site.url + suffix).search("x", 3)


async def test_an_instance_that_is_down_is_a_sentence() -> None:
    async with WebClient() as web:
        with pytest.raises(SearchError, match="could not be reached"):
            await SearxngSearch(web, "http://127.0.0.1:9").search("x", 3)


class FakeDDGS:
    """ddgs with one answer: rows, or an error to raise."""

    def __init__(self, answer: list[dict[str, Any]] | Exception, seconds: float = 0.0) -> None:
        self._answer = answer
        self._seconds = seconds
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def text(self, query: str, **kwargs: Any) -> list[dict[str, Any]]:
        self.asked.append((query, kwargs))
        time.sleep(self._seconds)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_duckduckgo_is_asked_and_nobody_else() -> None:
    client = FakeDDGS([{"title": "T", "href": "https://a.example", "body": "B\nb"}, {"title": "x"}])
    hits = await DuckDuckGoSearch(lambda: client).search("light", 7)
    assert hits == [SearchHit("https://a.example", "T", "B b", "duckduckgo")]
    assert client.asked == [("light", {"max_results": 7, "backend": "duckduckgo"})]
    assert "duckduckgo" in ENGINES["text"]  # ddgs asks every engine it has for an unknown name


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RatelimitException("202"), "refuses more queries"),
        (TimeoutException("timed out"), "in time"),
        (DDGSException("No results found."), "gave no results"),
        (DDGSException("ConnectError: no route"), "could not be asked: ConnectError"),
    ],
)
async def test_duckduckgo_failures_are_sentences(error: Exception, sentence: str) -> None:
    with pytest.raises(SearchError, match=sentence):
        await DuckDuckGoSearch(lambda: FakeDDGS(error)).search("x", 3)


async def test_a_duckduckgo_that_hangs_is_left() -> None:
    with pytest.raises(SearchError, match="in time"):
        await DuckDuckGoSearch(lambda: FakeDDGS([], seconds=0.5), timeout_s=0.1).search("x", 3)


async def test_the_real_ddgs_without_a_network_is_a_sentence() -> None:
    nowhere = "http://127.0.0.1:9"  # a proxy that does not exist: nothing leaves this machine
    engine = DuckDuckGoSearch(lambda: DDGS(proxy=nowhere, timeout=2))
    with pytest.raises(SearchError, match=r"^DuckDuckGo .*\.$"):
        await engine.search("lighthouse", 3)


async def test_the_first_engine_with_hits_answers_and_the_failures_are_told() -> None:
    last = FakeProvider("last", [hit("https://z.example")])
    chain = SearchChain([
        FakeProvider("down", "It is down."), FakeProvider("bare", []),
        FakeProvider("good", [hit("https://a.example"), hit("https://a.example")]), last,
    ])  # fmt: skip
    results = await chain.search("q")
    assert results.engine == "good" and results.query == "q"
    assert [found.url for found in results.hits] == ["https://a.example"]
    assert results.failures == (("down", "It is down."),)
    assert last.asked == []


async def test_nothing_found_is_an_answer_and_not_a_failure() -> None:
    chain = SearchChain([FakeProvider("bare", []), FakeProvider("down", "It is down.")])
    results = await chain.search("q")
    assert (results.engine, results.hits) == ("bare", ())
    assert results.failures == (("down", "It is down."),)


async def test_when_every_engine_fails_each_is_named() -> None:
    chain = SearchChain([FakeProvider("one", "One is down."), FakeProvider("two", "Two is busy.")])
    with pytest.raises(SearchError, match=r"one: One is down\. two: Two is busy\."):
        await chain.search("q")
    with pytest.raises(SearchError, match="no search engine"):
        await SearchChain([]).search("q")


class SlowProvider(FakeProvider):
    """Waits until as many queries are asked at once as are expected."""

    def __init__(self, together: int) -> None:
        super().__init__("slow", [hit("https://a.example")])
        self._together = together
        self._all = asyncio.Event()

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        hits = await super().search(query, limit)
        if len(self.asked) == self._together:
            self._all.set()
        await asyncio.wait_for(self._all.wait(), 2)
        if query == "bad":
            raise SearchError("It failed.")
        return hits


async def test_queries_run_together_and_one_failure_costs_one_query() -> None:
    results = await SearchChain([SlowProvider(3)]).search_all(["a", "bad", "c"])
    assert [(r.query, r.engine, len(r.hits)) for r in results] == [
        ("a", "slow", 1), ("bad", "", 0), ("c", "slow", 1),
    ]  # fmt: skip
    assert "It failed." in results[1].failures[0][1]
    with pytest.raises(SearchError, match=r"It failed\."):
        await SearchChain([SlowProvider(1)]).search_all(["bad"])
