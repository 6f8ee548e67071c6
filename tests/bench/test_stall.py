"""The frontier that the stall suite holds a server to."""

from __future__ import annotations

import pytest

from edge_agent.bench.bare import StepCost
from edge_agent.bench.suites.stall import frontier_of, reached

COSTS = [StepCost(0, (0.1, 0.1)), StepCost(16, (0.4, 0.4)), StepCost(64, (1.0, 1.2))]


def test_a_longer_gap_asks_for_more_speed_up_to_that_of_the_largest_step() -> None:
    frontier = frontier_of(COSTS)
    assert frontier == [(0.1, 0.0), (0.4, 40.0), (1.2, pytest.approx(64 / 1.1))]
    assert reached(frontier, 0.4, 40.0) == pytest.approx(1.0)
    assert reached(frontier, 0.25, 20.0) == pytest.approx(1.0)
    assert reached(frontier, 0.4, 30.0) == pytest.approx(0.75)
    assert reached(frontier, 0.8, 40.0) < 1.0 < reached(frontier, 0.3, 40.0)


def test_a_gap_beyond_the_largest_step_is_not_paid_by_full_speed() -> None:
    frontier = frontier_of(COSTS)
    assert reached(frontier, 1.2, 64 / 1.1) == pytest.approx(1.0)
    assert reached(frontier, 12.0, 64 / 1.1) == pytest.approx(0.1)


def test_no_gap_beyond_a_plain_step_asks_for_no_speed() -> None:
    assert reached(frontier_of(COSTS), 0.05, 1.0) > 1e6
