from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engine.core.pace import COSTS, SIZES, Pace

from ..fakes import ScriptedPace

steps = st.lists(st.tuples(st.integers(1, 1200), st.floats(1e-5, 30)), max_size=40)


def taught(seconds_of: dict[int, float], times: int = 40) -> Pace:
    pace = Pace()
    for _ in range(times):
        for n_tokens, seconds in seconds_of.items():
            pace.saw(n_tokens, seconds)
    return pace


def test_what_was_seen_is_expected_again() -> None:
    pace = taught({1: 0.02, 4: 0.05, 64: 0.4})
    assert pace.seconds(1) == pytest.approx(0.02, rel=0.02)
    assert pace.seconds(4) == pytest.approx(0.05, rel=0.15)
    assert pace.seconds(64) == pytest.approx(0.4, rel=0.02)


def test_one_step_scales_the_whole_curve() -> None:
    pace = taught({1: 0.005}, times=1)
    for size, cost in zip(SIZES, COSTS, strict=True):
        assert pace.seconds(size) == pytest.approx(0.005 * cost)


def test_a_device_that_grows_slower_is_followed() -> None:
    pace = taught({1: 0.1}, times=1)
    for _ in range(60):
        pace.saw(1, 0.3)
    assert pace.seconds(1) == pytest.approx(0.3, rel=0.05)


def test_one_step_that_was_held_up_is_hardly_remembered() -> None:
    pace = taught({1: 0.05})
    pace.saw(1, 1.0)
    assert pace.seconds(1) < 0.08


def test_a_size_that_was_slow_once_is_not_shunned_for_ever() -> None:
    pace = taught({1: 0.05, 2: 0.06})
    pace.saw(4, 60.0)
    assert pace.seconds(4) < 0.2


@given(steps)
def test_no_step_is_free_and_a_larger_one_no_bargain_beyond_reason(
    seen: list[tuple[int, float]],
) -> None:
    pace = Pace()
    for n_tokens, seconds in seen:
        pace.saw(n_tokens, seconds)
    assert all(pace.seconds(n) > 0 for n in range(1, 1500))


@given(st.floats(1e-4, 5), st.integers(0, 20), st.integers(1, 32), st.integers(1, 4096))
def test_the_largest_chunk_keeps_the_time_and_the_next_would_not(
    within_s: float, beside: int, least: int, most: int
) -> None:
    pace = ScriptedPace(lambda n_tokens: 0.01 + n_tokens / 300)
    chunk = pace.largest(within_s, beside, least, most)
    assert 1 <= chunk <= most
    assert chunk <= least or pace.seconds(chunk + beside) <= within_s
    assert 2 * chunk > most or pace.seconds(2 * chunk + beside) > within_s
