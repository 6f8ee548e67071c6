"""Answers are kept for a while and no longer, and pauses outlive the process."""

from __future__ import annotations

from pathlib import Path

from edge_agent.store.search_cache import Pause, SearchCache


def test_an_answer_is_found_by_engine_query_and_number(tmp_path: Path) -> None:
    cache = SearchCache(tmp_path / "s.sqlite")
    cache.put("quay", "lamp", 5, "[1]", now=100.0, since=0.0)
    assert cache.get("quay", "lamp", 5, since=50.0) == ("[1]", 100.0)
    assert cache.get("quay", "lamp", 5, since=100.0) is None
    for engine, query, most in (("other", "lamp", 5), ("quay", "light", 5), ("quay", "lamp", 6)):
        assert cache.get(engine, query, most, since=0.0) is None
    cache.close()


def test_old_answers_are_forgotten(tmp_path: Path) -> None:
    cache = SearchCache(tmp_path / "s.sqlite")
    cache.put("quay", "old", 5, "[]", now=100.0, since=0.0)
    cache.put("quay", "half \ud800 a pair", 5, "[]", now=300.0, since=200.0)
    assert cache.get("quay", "old", 5, since=0.0) is None
    assert cache.get("quay", "half \ud800 a pair", 5, since=0.0) is not None
    cache.close()


def test_a_pause_is_known_to_the_next_process_until_the_engine_answers(tmp_path: Path) -> None:
    cache = SearchCache(tmp_path / "s.sqlite")
    cache.pause("quay", Pause(160.0, 60.0))
    cache.pause("quay", Pause(290.0, 120.0))
    cache.close()
    after = SearchCache(tmp_path / "s.sqlite")
    assert after.pause_of("quay") == Pause(290.0, 120.0)
    assert after.pause_of("other") is None
    after.resume("quay")
    assert after.pause_of("quay") is None
    after.close()
