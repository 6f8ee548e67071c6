"""pass@k and the vote."""

from __future__ import annotations

from itertools import combinations

import pytest

from edge_agent.eval.tries import pass_at, voted

from .fakes import line


@pytest.mark.parametrize("n", range(1, 7))
def test_pass_at_k_is_the_share_of_all_draws_that_hold_a_right_try(n: int) -> None:
    for right in range(n + 1):
        tries = [True] * right + [False] * (n - right)
        for k in range(1, n + 1):
            draws = list(combinations(tries, k))
            share = sum(any(draw) for draw in draws) / len(draws)
            assert pass_at(k, n, right) == pytest.approx(share)


def test_most_tries_win_after_normalisation_and_the_first_of_equals() -> None:
    assert voted([line(answer=a) for a in ("Bo", "The Ane", "ane.")]).answer == "The Ane"
    assert voted([line(answer=a) for a in ("Bo", "Ane", "Ane", "Bo")]).answer == "Bo"
    assert voted([line(answer=a) for a in ("Ane", "Bo")]).answer == "Ane"


def test_nothing_found_and_failures_have_no_vote_while_others_have_one() -> None:
    missing = [line(answer="not found"), line(answer="not found"), line(answer="Bo")]
    assert voted(missing).answer == "Bo"
    failed = [line(answer="No answer", reason="env_error") for _ in range(2)]
    assert voted([*failed, line(answer="Bo")]).answer == "Bo"
    assert voted(failed).answer == "No answer"
