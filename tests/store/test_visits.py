"""Visits are kept by address, and the oldest go when there is no room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.store.visits import SWEEP_EVERY, Visit, VisitStore, open_visits

VISIT = Visit(
    "https://a.example/x", "1", "https://a.example/y", "T", "Text \ud800.", "[]", "text/html",
    "2024-05-01T10:00:00+00:00", 0.0, '"v1"', "", 1.0,
)  # fmt: skip


@pytest.fixture
def visits(tmp_path: Path) -> Iterator[VisitStore]:
    database = open_visits(tmp_path / "visits.sqlite")
    yield VisitStore(database, 50_000)
    database.close()


def test_the_last_visit_to_an_address_is_kept(visits: VisitStore) -> None:
    visits.put(VISIT)
    visits.put(replace(VISIT, etag='"v2"'))
    assert visits.get(VISIT.asked) == replace(VISIT, etag='"v2"', text="Text ?.")
    assert visits.get("https://a.example/y") is None
    visits.forget(VISIT.asked)
    assert visits.get(VISIT.asked) is None


def test_those_used_longest_ago_go_first(visits: VisitStore) -> None:
    for n in range(2 * SWEEP_EVERY + 1):
        visits.put(replace(VISIT, asked=f"u{n}", text="x" * 1_000, used_at=float(n)))
    kept = [n for n in range(2 * SWEEP_EVERY + 1) if visits.get(f"u{n}")]
    assert kept == list(range(kept[0], 2 * SWEEP_EVERY + 1)) and len(kept) <= 50
