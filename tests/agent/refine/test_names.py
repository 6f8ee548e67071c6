from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.refine.names import names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "The mural was painted by Lena Tarr, a friend of J. R. R. Tolkien. In 1902 she moved to"
            " Mossby (New South Wales).",
            ["Lena Tarr", "J R R Tolkien", "Mossby", "New South Wales"],
        ),
        ("He studied at the University of Cambridge in May 1990.", ["University of Cambridge"]),
        ("It opened “The Lamp Room” on Friday.", ["Lamp Room"]),
        ("Ludwig van Beethoven. Apollo 13 flew.", ["Ludwig van Beethoven", "Apollo 13"]),
        ("Osprane's boat is Osprane’s pride", ["Osprane", "Osprane"]),
        ("Éamon Ó Cuív met Øystein.", ["Éamon Ó Cuív", "Øystein"]),
        ("nothing here is a name, 1902 neither", []),
        ("", []),
    ],
)
def test_names_are_runs_of_capitals_without_what_begins_a_sentence(
    text: str, found: list[str]
) -> None:
    assert list(names(text)) == found


@given(st.text(max_size=300))
def test_a_name_begins_with_a_capital_and_is_made_of_words_of_the_text(text: str) -> None:
    for name in names(text):
        assert name[0].isupper()
        assert all(word in text for word in name.split())
