"""Speeds and gaps from the times at which pieces came."""

from __future__ import annotations

import pytest

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.stream import Stream, percentile, together


def stream_of(*times: float, weight: float = 1.0) -> Stream:
    return Stream(times=list(times), weights=[weight] * len(times))


def test_gaps_are_those_that_reach_into_the_time() -> None:
    stream = Stream(times=[0.0, 1.0, 5.0, 6.0])
    assert stream.gaps(2.0, 4.0) == [4.0]
    assert stream.gaps(0.5, 5.5) == [1.0, 4.0, 1.0]


def test_the_speed_counts_what_came_after_the_first_piece() -> None:
    assert stream_of(0.0, 1.0, 2.0).speed == 1.0
    assert stream_of(0.0, 0.5, 1.0, weight=3).speed == 6.0
    with pytest.raises(Lacking):
        _ = stream_of(1.0).speed


def test_tokens_told_at_the_end_are_spread_over_the_pieces() -> None:
    stream = stream_of(0.0, 1.0, 2.0, 3.0)
    stream.weigh(8)
    assert (stream.n_tokens, stream.speed) == (8.0, 2.0)


def test_speed_together_is_that_of_the_time_when_all_were_writing() -> None:
    early, late = stream_of(0.0, 1.0, 2.0, 3.0), stream_of(1.0, 2.0, 3.0, 4.0)
    assert together([early, late]) == 2.0
    with pytest.raises(Lacking):
        together([stream_of(0.0, 1.0), stream_of(2.0, 3.0)])


def test_computed_tokens_that_were_not_told_are_not_guessed_to_be_none() -> None:
    told = Stream(prompt_tokens=100, cached_tokens=90)
    assert (told.computed, told.computed_of(5)) == (10, 10)
    silent = Stream(template_tokens=30)
    assert silent.computed_of(100) == 70
    with pytest.raises(Lacking):
        _ = silent.computed


def test_percentiles_lie_between_the_values() -> None:
    assert percentile([3.0], 99) == 3.0
    assert percentile([float(i) for i in range(101)], 99) == 99.0
