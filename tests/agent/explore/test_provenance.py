"""Whose word an address stands on."""

from __future__ import annotations

import pytest

from edge_agent.agent.explore.provenance import Provenance


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "https://example.org/a/", "https://notes.example/x?b=1"]
)
def test_an_address_of_the_user_or_of_a_search_is_known(url: str) -> None:
    provenance = Provenance()
    provenance.give("What does www.example.org/a say?")
    provenance.learn(["https://notes.example/x?b=1"])
    assert provenance.is_known(url)


def test_an_address_that_only_a_page_names_is_not_known_but_no_invention() -> None:
    provenance = Provenance()
    provenance.link_from("See <https://notes.example/x>.", ["https://notes.example/y"])
    for url in ("https://notes.example/x", "http://www.notes.example/y/"):
        provenance.guess([url])
        assert provenance.is_linked(url) and not provenance.is_known(url)
        assert not provenance.is_guessed(url)


def test_a_page_does_not_vouch_for_itself() -> None:
    provenance = Provenance()
    provenance.link_from("I am http://h/a.", ["http://h/a"], own="http://h/a")
    assert not provenance.is_linked("http://h/a")


@pytest.mark.parametrize(
    "url", ["https://example.org/ab", "https://example.org", "https://evil-example.org/a"]
)
def test_an_address_like_a_given_one_is_a_guess(url: str) -> None:
    provenance = Provenance()
    provenance.give("Read http://example.org/a, please.")
    provenance.guess([url])
    assert provenance.is_guessed(url)


def test_a_guess_that_a_tool_names_later_is_none_any_more() -> None:
    provenance = Provenance()
    provenance.guess(["http://h/a"])
    assert provenance.is_guessed("http://h/a")
    provenance.learn(["https://h/a"])
    assert not provenance.is_guessed("http://h/a")
