"""An engine is asked patiently, seldom, and not twice the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.store.search_cache import SearchCache
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.endpoint import ApiClient
from edge_agent.tools.search.remote import Chance, Manners, Remote
from edge_agent.tools.search.searxng import SearxngSearch

from .engines import Asked, Engine, Reply, as_json

HIT = SearchHit("https://a.example", "A", "about", "quay", "2024")
QUICK = Manners(timeout_s=60, tries=3, wait_s=1.0, keep_s=100.0)
HASTY = replace(QUICK, timeout_s=0.2)


class Still(Chance):
    """Time that only passes by sleeping; jitter is always the highest."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def between(self, low: float, high: float) -> float:
        return high


class Quay:
    """An engine with an outcome for each time it is asked; the last one stays."""

    name = "quay"

    def __init__(self, *outcomes: list[SearchHit] | SearchError | None) -> None:
        self._outcomes = list(outcomes)
        self.asked: list[str] = []

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        self.asked.append(query)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if outcome is None:
            await asyncio.sleep(600)
        if isinstance(outcome, SearchError):
            raise outcome
        return outcome or []


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SearchCache]:
    cache = SearchCache(tmp_path / "search.sqlite")
    yield cache
    cache.close()


async def test_an_answer_is_given_again_with_its_age_until_it_is_old(cache: SearchCache) -> None:
    chance, quay = Still(), Quay([HIT])
    remote = Remote(quay, cache, QUICK, chance)
    assert (await remote.ask("Lamp  light", 5)).age_s == 0
    chance.time += 60
    again = await remote.ask("lamp light", 5)
    assert again.hits == (HIT,) and again.age_s == 60 and len(quay.asked) == 1
    await remote.ask("lamp light", 6)
    chance.time += 60
    await remote.ask("lamp light", 5)
    assert len(quay.asked) == 3


async def test_nothing_found_is_asked_again(cache: SearchCache) -> None:
    quay = Quay([], [HIT])
    remote = Remote(quay, cache, QUICK, Still())
    assert await remote.search("x", 5) == []
    assert await remote.search("x", 5) == [HIT]


async def test_what_may_pass_is_tried_again_with_growing_waits(cache: SearchCache) -> None:
    chance = Still()
    quay = Quay(SearchError("Down.", transient=True), SearchError("Down.", transient=True), [HIT])
    assert await Remote(quay, cache, QUICK, chance).search("x", 5) == [HIT]
    assert chance.slept == [1.5, 3.0]
    with pytest.raises(SearchError, match="Down"):
        await Remote(Quay(SearchError("Down.", True)), cache, QUICK, Still()).search("y", 5)


async def test_what_will_not_pass_is_not_tried_again(cache: SearchCache) -> None:
    quay = Quay(SearchError("Wrong key."))
    with pytest.raises(SearchError, match="Wrong key"):
        await Remote(quay, cache, QUICK, Still()).search("x", 5)
    assert len(quay.asked) == 1


async def test_one_that_hangs_is_left_and_tried_again(cache: SearchCache) -> None:
    quay = Quay(None, [HIT])
    assert await Remote(quay, cache, HASTY, Still()).search("x", 5) == [HIT]
    with pytest.raises(SearchError, match=r"within 0\.2 seconds"):
        await Remote(Quay(None), cache, HASTY, Still()).search("y", 5)


async def test_after_too_many_queries_it_is_left_alone_longer_each_time(
    cache: SearchCache, tmp_path: Path
) -> None:
    chance, quay = Still(), Quay(SearchBusy("Too often.", None), SearchBusy("Again.", None), [HIT])
    remote = Remote(quay, cache, QUICK, chance)
    with pytest.raises(SearchBusy, match="Too often"):
        await remote.search("x", 5)
    with pytest.raises(SearchBusy, match="60 more seconds"):
        await remote.search("y", 5)
    assert len(quay.asked) == 1
    cache.close()
    after = SearchCache(tmp_path / "search.sqlite")  # another process
    remote = Remote(quay, after, QUICK, chance)
    with pytest.raises(SearchBusy, match="left alone"):
        await remote.search("y", 5)
    chance.time += 61
    with pytest.raises(SearchBusy, match="Again"):
        await remote.search("y", 5)
    chance.time += 61
    with pytest.raises(SearchBusy, match="59 more"):
        await remote.search("y", 5)
    chance.time += 61
    assert await remote.search("y", 5) == [HIT]
    assert after.pause_of("quay") is None
    after.close()


async def test_the_wait_it_names_is_kept_even_when_it_is_long(cache: SearchCache) -> None:
    remote = Remote(Quay(SearchBusy("Spent.", 3600)), cache, QUICK, Still())
    with pytest.raises(SearchBusy):
        await remote.search("x", 5)
    with pytest.raises(SearchBusy, match="3600 more"):
        await remote.search("x", 5)


async def test_queries_to_one_engine_are_kept_apart(cache: SearchCache) -> None:
    chance, quay = Still(), Quay([HIT])
    remote = Remote(quay, cache, Manners(apart_s=3.0), chance)
    await asyncio.gather(*(remote.search(query, 5) for query in ("a", "b", "c")))
    assert chance.slept == [3.0, 3.0] and sorted(quay.asked) == ["a", "b", "c"]


async def test_a_real_engine_that_refuses_and_recovers(cache: SearchCache) -> None:
    chance, replies = Still(), [Reply(503), Reply(429, headers={"Retry-After": "0"})]

    def answer(asked: Asked) -> Reply:
        rows = [{"url": "https://a.example", "title": "A", "content": "about"}]
        return replies.pop(0) if replies else as_json({"results": rows})

    with Engine(answer) as engine:
        async with ApiClient() as client:
            remote = Remote(SearxngSearch(client, engine.url), cache, QUICK, chance)
            with pytest.raises(SearchBusy, match="429"):
                await remote.search("x", 5)
            chance.time += 61
            assert [hit.url for hit in await remote.search("x", 5)] == ["https://a.example"]
            assert (await remote.ask("X", 5)).hits and len(engine.asked) == 3
