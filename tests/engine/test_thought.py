from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engine.params import ThoughtLimit
from edge_agent.engine.thought import ThoughtMeter

START, END = (10, 11), (20, 21, 22)
CLOSING = (5, 6, *END)
marker = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
written = st.lists(st.integers(0, 3), max_size=60)


def meter(
    budget: int | None, begun: bool = False, closing: tuple[int, ...] = CLOSING
) -> ThoughtMeter:
    return ThoughtMeter(ThoughtLimit(budget, START, END, closing, begun))


def counted(limit: ThoughtLimit, tokens: list[int]) -> tuple[int, bool]:
    """Tokens between markers, and whether a thought is open, by reading from left to right."""
    at, n, inside = 0, 0, limit.begun
    begin = 0  # of what was read since the last marker
    while at < len(tokens):
        at += 1
        mark = limit.end if inside else limit.start
        if tuple(tokens[begin:at])[-len(mark) :] == mark:
            n += at - begin - len(mark) if inside else 0
            inside, begin = not inside, at
    return n + (at - begin if inside else 0), inside


@given(st.builds(ThoughtLimit, st.none(), marker, marker, marker, st.booleans()), written)
def test_what_is_between_markers_is_counted(limit: ThoughtLimit, tokens: list[int]) -> None:
    thought = ThoughtMeter(limit)
    for token in tokens:
        thought.feed([token])
    assert (thought.n_thought, thought.inside) == counted(limit, tokens)


@given(
    st.builds(ThoughtLimit, st.none(), marker, marker, marker, st.booleans()), written, st.data()
)
def test_it_is_all_one_in_how_many_pieces_tokens_come(
    limit: ThoughtLimit, tokens: list[int], data: st.DataObject
) -> None:
    whole, pieces = ThoughtMeter(limit), ThoughtMeter(limit)
    cut = data.draw(st.integers(0, len(tokens)))
    whole.feed(tokens)
    pieces.feed(tokens[:cut])
    pieces.feed(tokens[cut:])
    assert (whole.n_thought, whole.inside) == (pieces.n_thought, pieces.inside)


@pytest.mark.parametrize("budget", [0, 1, 7])
def test_a_thought_is_due_exactly_at_its_budget(budget: int) -> None:
    thought = meter(budget)
    assert not thought.due
    thought.feed(START)
    for _ in range(budget):
        assert not thought.due
        thought.feed([7])
    assert thought.due
    thought.feed(thought.closing)
    assert not thought.due
    assert not thought.inside


def test_a_prompt_that_ends_in_a_thought_has_begun_it() -> None:
    thought = meter(2, begun=True)
    thought.feed([7])
    assert not thought.due
    thought.feed([7])
    assert thought.due


def test_a_thought_that_ends_by_itself_is_not_due_and_leaves_the_rest_to_the_next() -> None:
    thought = meter(5)
    thought.feed([*START, 7, 7, *END, 7, 7, 7, 7])
    assert not thought.due
    assert thought.n_thought == 2
    thought.feed([*START, 7, 7])
    assert not thought.due
    thought.feed([7])
    assert thought.due


def test_without_a_budget_a_thought_is_due_only_when_it_is_told_to_stop() -> None:
    thought = meter(None)
    assert not thought.stop()
    thought.feed([*START, *[7] * 1000])
    assert not thought.due
    assert thought.stop()
    assert thought.due


def test_told_to_stop_before_it_thinks_it_may_still_think() -> None:
    thought = meter(None)
    assert not thought.stop()
    thought.feed([*START, 7])
    assert not thought.due
