from __future__ import annotations

import pytest

from edge_agent.tools.base import SearchHit, SearchResults
from edge_agent.tools.search.account import age, clauses

HITS = (SearchHit("http://h/x", "X", "", "w"),)


def test_a_search_that_went_as_usual_has_nothing_beside() -> None:
    assert clauses(SearchResults("q", HITS, "w")) == []


def test_age_nothing_and_failures_are_a_clause_each() -> None:
    result = SearchResults("q", HITS, "w", (("a", "no."), ("b", "never.")), ("c", "d"), 90.0)
    assert clauses(result) == [
        "w answered this 90 seconds ago",
        "c, d found nothing",
        "a failed: no.",
        "b failed: never.",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "1 second"),
        (1.6, "2 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "120 minutes"),
        (7_200, "2 hours"),
        (172_800, "2 days"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_of_which_there_are_two(
    seconds: float, told: str
) -> None:
    assert age(seconds) == told
