from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.wording import normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The  Thrift.", "thrift"),
        ("3,000 boats", "3000 boats"),
        ("Zoë Ångström", "zoe angstrom"),
        ("“Sea-horse”", "sea horse"),
        ("an old smack", "old smack"),
    ],
)
def test_spellings_of_one_answer_are_one(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.5", "25"),
        ("1,5", "15"),
        ("The Who", "The Which"),
        ("C++", "C"),
        ("कि", "की"),
        ("The", "A"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_only_white_space_has_no_words(text: str) -> None:
    assert bool(normalise(text)) == bool(text.split())
