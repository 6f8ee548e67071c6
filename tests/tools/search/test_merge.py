"""What several lists found is one list, each page once and numbered."""

from __future__ import annotations

from edge_agent.tools.base import SearchResults
from edge_agent.tools.search.merge import merged, numbered
from tests.tools.fakes import hit

A, B, C = (hit(f"https://{name}.example") for name in "abc")


def test_one_list_keeps_its_order() -> None:
    assert merged([[A, B, A, C]], 10) == [A, B, C]
    assert merged([[A, B, C]], 2) == [A, B]
    assert merged([], 5) == []


def test_what_two_lists_found_stands_before_what_one_found() -> None:
    found = merged([[A, B], [C, hit("http://www.b.example/#x", "other")]], 10)
    assert [one.url for one in found] == [B.url, A.url, C.url]
    assert found[0].source == "fake, other"


def test_pages_of_several_queries_are_numbered_once() -> None:
    results = [SearchResults("x", (A, B), "e"), SearchResults("y", (B, C), "e")]
    assert [(each.number, each.hit.url, each.queries) for each in numbered(results)] == [
        (1, A.url, ("x",)), (2, B.url, ("x", "y")), (3, C.url, ("y",)),
    ]  # fmt: skip
