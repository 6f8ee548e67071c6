from __future__ import annotations

import pytest

from edge_agent.agent.explore.guard import Guard, canonical

SAME = [
    "https://example.org/a/b",
    "http://example.org/a/b/",
    "https://www.example.org/a/b#part",
    "HTTPS://Example.ORG:443/a/b",
    "https://example.org/a/b?utm_source=x&utm_medium=y",
    "https://example.org/a/b?fbclid=123&gclid=5",
    " https://example.org./a/b ",
    "https://example.org/a/%62",
]


@pytest.mark.parametrize("url", SAME)
def test_the_ways_to_write_an_address_are_one(url: str) -> None:
    assert canonical(url) == canonical(SAME[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a?page=1", "https://example.org/a?page=2"),
        ("https://example.org/A", "https://example.org/a"),
        ("https://example.org:8080/a", "https://example.org/a"),
        ("https://en.example.org/a", "https://de.example.org/a"),
        ("library://notes/a", "https://notes/a"),
    ],
)
def test_addresses_of_different_pages_stay_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_the_order_of_parameters_does_not_matter() -> None:
    assert canonical("http://h/?b=2&a=1") == canonical("http://h/?a=1&b=2")


def test_an_address_that_cannot_be_taken_apart_stays_as_it_is() -> None:
    assert canonical("http://[half/a") == "http://[half/a"


@pytest.mark.parametrize(
    "query",
    [
        "bell carried by the smack",
        "SMACK, carried: bell!",
        "“bell” carried smacks",
        "the bell that was carried by a smack?",
    ],
)
def test_a_query_in_other_order_case_and_signs_is_the_same(query: str) -> None:
    guard = Guard()
    assert guard.is_new_query("smack carried bell")
    assert not guard.is_new_query(query)


def test_accents_do_not_make_a_new_query() -> None:
    guard = Guard()
    guard.is_new_query("Beyoncé Knowles album")
    assert not guard.is_new_query("beyonce knowles album")


def test_another_year_makes_a_new_query_however_long_it_is() -> None:
    guard = Guard()
    words = "population of the harbour town by the northern bay after the great flood in"
    assert guard.is_new_query(f"{words} 1871")
    assert guard.is_new_query(f"{words} 1872")
    assert not guard.is_new_query(f"{words} 1871")


def test_a_query_that_was_not_answered_may_be_asked_again() -> None:
    guard = Guard()
    guard.is_new_query("smack bell")
    guard.forget_queries(["smack bell"])
    assert guard.is_new_query("smack bell")


def test_a_page_is_new_for_every_new_purpose() -> None:
    guard = Guard()
    assert guard.is_new_purpose("http://h/a", "who built it")
    assert not guard.is_new_purpose("https://h/a/", "who built it?")
    assert guard.is_new_purpose("http://h/a", "what does it weigh")
    assert not guard.is_new_purpose("http://h/a", "")
