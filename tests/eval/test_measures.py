"""Figures from lines."""

from __future__ import annotations

import pytest

from edge_agent.eval.measures import Marks, measure

from .fakes import line


def test_failures_from_outside_stay_in_the_denominator_and_are_told_apart() -> None:
    lines = [
        line("a", em=1, f1=1),
        line("b", em=0, f1=0.5),
        line("c", em=0, f1=0, reason="env_error"),
        line("d", em=0, f1=0, reason="tool_failed"),
    ]
    measures = measure(lines, 4, 1)
    assert (measures.n, measures.tries) == (4, 4)
    assert (measures.em, measures.f1) == (0.25, 0.375)
    assert measures.environment_failures == 2
    assert measures.without_environment == Marks(2, 0.5, 0.75)
    assert measures.reasons == {"answered": 2, "env_error": 1, "tool_failed": 1}
    assert measures.by_reason["answered"] == Marks(2, 0.5, 0.75)
    assert measures.by_kind == {"bridge": Marks(4, 0.25, 0.375)}


def test_several_tries_have_avg_pass_and_vote() -> None:
    right = [line("a", i, em=1, f1=1, answer="Ane") for i in range(2)]
    wrong = [line("a", 2, em=0, f1=0, answer="Bo")]
    other = [line("b", i, em=0, f1=0, answer="Bo") for i in range(3)]
    measures = measure(right + wrong + other, 2, 3)
    assert measures.em == pytest.approx(1 / 3)
    assert measures.pass_at == pytest.approx({"1": 1 / 3, "2": 0.5, "3": 0.5})
    assert measures.vote == Marks(2, 0.5, 0.5)


def test_pass_at_one_try_is_the_exact_match() -> None:
    measures = measure([line("a", em=1), line("b", em=0)], 2, 1)
    assert measures.pass_at == {"1": measures.em} == {"1": 0.5}


def test_costs_and_rates_are_counted() -> None:
    measures = measure(
        [line("a", seconds=1.0), line("b", seconds=9.0), line("c", seconds=2.0)], 3, 1
    )
    assert (measures.seconds.mean, measures.seconds.median, measures.seconds.total) == (4, 2, 12)
    assert measures.prefilled_tokens.mean == 200
    rates = measures.rates
    assert rates.loop == 0.5  # one of the two actions was a repetition
    assert rates.invalid_call == pytest.approx(2 / 3)  # an error and a retry, of two turns and it
    assert rates.reprefilled_per_turn == 4  # 8 tokens in two turns
    assert rates.forced_answer == 0
    assert rates.citation_precision == 1


def test_an_evaluation_that_has_not_begun_has_figures_too() -> None:
    measures = measure([], 5, 2)
    assert (measures.n, measures.tries, measures.em, measures.f1) == (5, 0, 0, 0)
    assert measures.rates.loop is None and measures.rates.citation_precision is None
