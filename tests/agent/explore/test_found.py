from __future__ import annotations

import pytest

from edge_agent.agent.explore.found import Found
from edge_agent.tools.base import SearchHit

HITS = [
    SearchHit("http://h/bell", "Bell", "", "w"),
    SearchHit("http://h/old", "The Old Market", "", "w"),
]


@pytest.mark.parametrize(
    "reference",
    ["2", "[2]", "#2", "Result 2", "2.", "The Old Market", "old market", "https://www.h/old/"],
)
def test_a_result_is_known_by_number_title_or_address(reference: str) -> None:
    found = Found()
    found.add(HITS)
    assert found.url_of(reference) == "http://h/old"


@pytest.mark.parametrize("reference", ["7", "http://other/old", "example.org"])
def test_what_names_no_result_stays_as_it_is(reference: str) -> None:
    found = Found()
    found.add(HITS)
    assert found.url_of(reference) == reference
