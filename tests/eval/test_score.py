"""Exact match and F1 as SQuAD's evaluation has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.eval.score import Score, normalised, score


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("The  Thrift,", "thrift"),
        ("An apple a day", "apple day"),
        ("theatre", "theatre"),
        ("O'Brien-Smith", "obriensmith"),
        ("1,375 m", "1375 m"),
        ("“Zürich”", "“zürich”"),
        ("...", ""),
    ],
)
def test_case_articles_punctuation_and_spaces_do_not_count(text: str, bare: str) -> None:
    assert normalised(text) == bare


@pytest.mark.parametrize(
    ("answer", "expected", "em", "f1"),
    [
        ("Ane Pollock", "ane pollock.", 1, 1),
        ("The shipwright Ane Pollock", "Ane Pollock", 0, 0.8),
        ("Pollock", "Ane Pollock", 0, 2 / 3),
        ("yes", "no", 0, 0),
        ("", "no", 0, 0),
        ("the", "a", 1, 1),
        ("cat cat cat", "cat", 0, 0.5),
    ],
)
def test_marks_of_one_answer(answer: str, expected: str, em: float, f1: float) -> None:
    marks = score(answer, [expected])
    assert (marks.em, marks.f1) == pytest.approx((em, f1))


def test_the_best_expected_answer_counts() -> None:
    assert score("Stanley Hall", ["G. Stanley Hall", "Stanley Hall"]) == Score(1, 1)
    assert score("x", []) == Score(0, 0)


@given(st.text(), st.text())
def test_an_exact_match_has_the_full_f1_and_f1_is_symmetric(one: str, other: str) -> None:
    marks = score(one, [other])
    assert 0 <= marks.f1 <= 1
    assert marks.f1 == 1 if marks.em else True
    assert marks == score(other, [one])
    assert score(one, [one]) == Score(1, 1)
