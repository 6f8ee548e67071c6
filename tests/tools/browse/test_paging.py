"""A long text has the same pages each time, and together they are the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import FetchError
from edge_agent.tools.base import Page
from edge_agent.tools.browse.paging import PAGE_CHARS, one_page, part, parts, split_number, told

WORDS = st.text(st.sampled_from("ab \n.#"), max_size=60)


def page(text: str) -> Page:
    return Page("https://a.example/x", "T", text, "text/html", "web", "2024-05-01T10:00:00+00:00")


@given(piece=WORDS, times=st.integers(0, 2_000))
def test_the_pages_are_the_text(piece: str, times: int) -> None:
    text = piece * times
    found = parts(text)
    assert "".join(found) == text
    assert all(len(each) <= PAGE_CHARS for each in found)
    assert all(len(each) >= PAGE_CHARS // 2 for each in found[:-1])


def test_a_page_ends_before_a_heading_when_one_is_near() -> None:
    text = "Words of the first part.\n\n" * 300 + "\n## Next\n\n" + "And more of it.\n\n" * 700
    first, second, *_ = parts(text)
    assert first.endswith("first part.\n\n\n") and second.startswith("## Next")


def test_words_beyond_the_end_do_not_move_the_pages_before() -> None:
    text = "A sentence of some length stands here. " * 2_000
    assert parts(text)[:5] == parts(text + "More. " * 5_000)[:5]


def test_a_page_says_where_it_stands_and_how_to_go_on() -> None:
    long = page("A sentence of some length stands here. " * 700)
    assert told(long).endswith("(page 1 of 3: the next is https://a.example/x#page=2)")
    assert told(long, 3).endswith("(page 3 of 3)")
    assert told(page("Short.")) == "Short."


def test_a_page_on_its_own_says_where_the_next_one_is() -> None:
    long = page("A sentence of some length stands here. " * 700)
    second, last = one_page(long, 2), one_page(long, 3)
    assert second.title == "T (page 2 of 3)" and second.url == "https://a.example/x#page=2"
    assert told(second).endswith("(the next page is https://a.example/x#page=3)")
    assert "next page" not in told(last) and "next page" not in second.text


def test_there_is_no_page_beyond_the_last() -> None:
    assert part("Short.", 1, "u").count == 1
    for number in (0, 2):
        with pytest.raises(FetchError, match="u has 1 page: there is no page") as caught:
            part("Short.", number, "u")
        assert caught.value.kind == "invalid"


@pytest.mark.parametrize(
    ("url", "address", "number"),
    [
        ("https://a.example/x#page=12", "https://a.example/x", 12),
        ("https://a.example/x#Page=1", "https://a.example/x", 1),
        ("https://a.example/x#section", "https://a.example/x", None),
        ("https://a.example/x#page=1&y", "https://a.example/x", None),
        ("https://a.example/x", "https://a.example/x", None),
    ],
)
def test_a_fragment_names_a_page(url: str, address: str, number: int | None) -> None:
    assert split_number(url) == (address, number)
