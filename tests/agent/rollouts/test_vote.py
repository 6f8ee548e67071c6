from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.verdict import MOST_WEIGHT, NOTHING
from edge_agent.agent.answer.wording import is_missing
from edge_agent.agent.rollouts.vote import Ballot, is_decided, winner

ANSWERS = ("Ane Pollock", "ane pollock.", "Gerrith Olm", "the Gull", "not found")


@st.composite
def votes(draw: st.DrawFn, least: int = 1) -> list[Ballot]:
    """Ballots with indices from 0; an answer that is none weighs nothing."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(ANSWERS), st.integers(0, MOST_WEIGHT), st.integers(1, 4)),
            min_size=least,
            max_size=9,
        )
    )
    return [
        Ballot(i, answer, NOTHING if is_missing(answer) else weight, steps)
        for i, (answer, weight, steps) in enumerate(rows)
    ]


@given(votes(), st.randoms())
def test_the_order_of_the_ballots_does_not_count(ballots: list[Ballot], by: random.Random) -> None:
    assert winner(by.sample(ballots, len(ballots))) == winner(ballots)


@given(votes(), st.randoms())
def test_stopping_early_never_changes_the_answer(ballots: list[Ballot], by: random.Random) -> None:
    arriving = by.sample(ballots, len(ballots))
    last = winner(arriving)
    for n in range(len(arriving) + 1):
        if is_decided(arriving[:n], len(arriving) - n):
            early = winner(arriving[:n])
            assert early is not None
            assert last is not None
            assert early.key == last.key


@given(votes())
def test_a_vote_is_decided_when_all_have_voted(ballots: list[Ballot]) -> None:
    assert is_decided(ballots, 0)


@given(votes())
def test_no_other_answer_has_more_weight_than_the_winners(ballots: list[Ballot]) -> None:
    best = winner(ballots)
    assert best is not None

    def weight(key: str) -> int:
        return sum(ballot.weight for ballot in ballots if ballot.key == key)

    assert all(weight(best.key) >= weight(b.key) for b in ballots)
    assert best.key or not any(ballot.key for ballot in ballots)


def test_agreement_stops_a_vote_as_soon_as_the_rest_cannot_overturn_it() -> None:
    two = [Ballot(i, "Ane Pollock", MOST_WEIGHT, 3) for i in range(2)]
    assert not is_decided(two, 2)  # two others could tie it with fewer steps
    assert is_decided(two, 1)
    assert not is_decided([], 3)
    assert not is_decided([Ballot(0, "not found", 0, 3)], 1)


def test_one_verified_answer_outvotes_two_faulty_ones_that_agree() -> None:
    ballots = [Ballot(0, "Olm", 1, 2), Ballot(1, "Olm", 1, 2), Ballot(2, "Ane Pollock", 4, 9)]
    assert winner(ballots) is ballots[2]


def test_a_tie_goes_to_fewer_steps_and_then_to_the_earlier_rollout() -> None:
    ballots = [Ballot(0, "Olm", 4, 5), Ballot(1, "Gull", 4, 3), Ballot(2, "Crow", 4, 3)]
    assert winner(ballots) is ballots[1]


def test_the_best_verified_ballot_speaks_for_its_answer() -> None:
    ballots = [Ballot(0, "ane pollock", 2, 1), Ballot(1, "Ane Pollock", 6, 7)]
    assert winner(ballots) is ballots[1]


def test_not_found_wins_only_where_nobody_found_anything() -> None:
    none, some = Ballot(0, "not found", 0, 1), Ballot(1, "Olm", 0, 5)
    assert winner([none, some]) is some
    assert winner([none]) is none
    assert winner([]) is None
