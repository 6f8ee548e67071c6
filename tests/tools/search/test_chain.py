"""The chain asks in order, merges what several found, and hides nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge_agent.errors import SearchError
from edge_agent.store.search_cache import SearchCache
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.chain import SearchChain, Together
from edge_agent.tools.search.remote import Remote
from tests.patience import HANG_S
from tests.tools.fakes import FakeProvider, hit


async def test_the_first_engine_with_hits_answers_and_all_else_is_told() -> None:
    last = FakeProvider("last", [hit("https://z.example")])
    chain = SearchChain([
        FakeProvider("down", "It is down."), FakeProvider("bare", []),
        FakeProvider("good", [hit("https://a.example"), hit("https://a.example/#top")]), last,
    ])  # fmt: skip
    results = await chain.search("q")
    assert results.engine == "good" and results.query == "q"
    assert [found.url for found in results.hits] == ["https://a.example"]
    assert results.failures == (("down", "It is down."),)
    assert results.found_nothing == ("bare",)
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


async def test_several_answers_are_merged_and_a_failing_engine_is_replaced() -> None:
    good, other = hit("https://a.example/page", "good"), hit("https://b.example", "good")
    same = SearchHit("http://www.a.example/page/?utm_source=x", "A", "a longer snippet", "more")
    chain = SearchChain(
        [
            FakeProvider("good", [other, good]),
            FakeProvider("down", "It is down."),
            FakeProvider("more", [same, hit("https://c.example", "more")]),
            FakeProvider("spare", "Never asked."),
        ],
        answers=2,
    )
    results = await chain.search("q")
    assert results.engine == "good, more"
    assert [one.url for one in results.hits] == [
        "https://a.example/page", "https://b.example", "https://c.example",
    ]  # fmt: skip
    assert results.hits[0].source == "good, more"
    assert results.hits[0].snippet == "a longer snippet"
    assert results.failures == (("down", "It is down."),)


async def test_providers_that_belong_together_are_one_answer() -> None:
    web = FakeProvider("web", [hit("https://w.example")])
    chain = SearchChain([
        Together((
            FakeProvider("isles", [hit("library://isles/a")]), FakeProvider("bare", []),
            FakeProvider("broken", "It is broken."), FakeProvider("quays", [hit("library://q/b")]),
        )), web,
    ])  # fmt: skip
    results = await chain.search("q")
    assert results.engine == "isles, quays" and len(results.hits) == 2
    assert results.found_nothing == ("bare",)
    assert results.failures == (("broken", "It is broken."),) and web.asked == []


async def test_an_answer_out_of_the_cache_says_its_age(tmp_path: Path) -> None:
    cache = SearchCache(tmp_path / "search.sqlite")
    chain = SearchChain([Remote(FakeProvider("web", [hit("https://w.example")]), cache)])
    assert (await chain.search("q")).age_s == 0
    assert (await chain.search("q")).age_s > 0
    cache.close()


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
        await asyncio.wait_for(self._all.wait(), HANG_S)
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
