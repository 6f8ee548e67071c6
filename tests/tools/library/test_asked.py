"""A question is taken apart into what it is about and whom it names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.store.library.match import words_of
from edge_agent.tools.library.asked import asked


def test_words_that_only_ask_are_left_out() -> None:
    assert asked("Who was the keeper of the lamp?").words == ("keeper", "lamp")
    assert asked("Who is who?").words == ("who", "is")  # it has no other


def test_names_are_runs_of_capitals_and_quotations() -> None:
    question = asked("Did Ilse Varn of North Rock and Bror Ott read “the salt road” in May 1871?")
    assert set(question.phrases) == {
        ("ilse", "varn", "of", "north", "rock", "and", "bror", "ott"),
        ("ilse", "varn", "of", "north", "rock"),
        ("bror", "ott"),
        ("the", "salt", "road"),
        ("may", "1871"),
    }


def test_what_may_be_a_title_comes_longest_first() -> None:
    names = asked("Is the Salt Road older than Marrow?").names
    assert names[0] == "is the salt road older than marrow"
    assert {"the salt road", "salt road", "marrow"} <= set(names)
    assert "older" not in names and "is the" not in names  # a title of one word has a capital
    assert names.index("the salt road") < names.index("salt road") < names.index("marrow")


def test_the_expression_asks_for_words_anywhere_and_for_names_in_titles() -> None:
    assert asked("the Salt Road").match == '"salt" OR "road" OR title : "salt road"'


@given(st.text())
def test_any_text_can_be_taken_apart(text: str) -> None:
    question = asked(text)
    assert bool(question.words) == bool(words_of(text[:1000]))
    assert all(name == name.casefold() and name.strip() for name in question.names)
