"""Whether a page is about a name."""

from __future__ import annotations

import pytest

from edge_agent.agent.explore.titles import is_about, names_others


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Lena Tarr", "Lena Tarr"),
        ("Lena Tarr - The Free Pages", "Lena Tarr"),
        ("Lena Tarr | Painters", "lena tarr"),
        ("Lena Tarr (painter) – Painters", "Lena Tarr"),
        ("Lena Maria Tarr", "Lena Tarr"),
        ("Glass Harbour (1951 film)", "Glass Harbour"),
    ],
)
def test_a_title_that_is_the_name_is_about_it(title: str, name: str) -> None:
    assert is_about(title, name)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ode Brand", "Lena Tarr"),
        ("Lena", "Lena Maria Tarr Brand"),
        ("The houses and gardens of Lena Tarr", "Lena Tarr"),
        ("Place of birth - The Free Pages", "Lena Tarr"),
        ("", "Lena Tarr"),
        ("Lena Tarr", ""),
        (" - ", "(x)"),
    ],
)
def test_a_title_that_only_mentions_it_is_not(title: str, name: str) -> None:
    assert not is_about(title, name)


def test_a_question_names_others_or_its_name_alone() -> None:
    assert names_others("When did Lena Tarr paint Glass Harbour?", "Lena Tarr")
    assert names_others("What did Lena Tarr paint in 1902?", "Lena Tarr")
    assert not names_others("Where was Lena Tarr born?", "Lena Tarr")
    assert not names_others("", "Lena Tarr")
