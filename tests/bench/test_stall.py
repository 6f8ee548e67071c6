"""The frontier that the stall suite holds a server to."""

from __future__ import annotations

import pytest

from edge_agent.bench.bare import StepCost
from edge_agent.bench.suites.stall import frontier_of, speed_at

COSTS = [StepCost(0, (0.1, 0.1)), StepCost(16, (0.4, 0.4)), StepCost(64, (1.0, 1.2))]


def test_a_longer_gap_allows_more_speed_up_to_that_of_the_largest_step() -> None:
    frontier = frontier_of(COSTS)
    assert frontier == [(0.1, 0.0), (0.4, 40.0), (1.2, pytest.approx(64 / 1.1))]
    speeds = [speed_at(frontier, gap) for gap in (0.1, 0.25, 0.4, 0.8, 1.2, 5.0)]
    assert speeds == sorted(speeds)
    assert speeds[1] == pytest.approx(20.0)
    assert speeds[2] == 40.0 and speeds[-1] == speeds[-2] == pytest.approx(64 / 1.1)


def test_no_gap_beyond_a_plain_step_allows_no_speed() -> None:
    assert speed_at(frontier_of(COSTS), 0.05) < 1e-6
