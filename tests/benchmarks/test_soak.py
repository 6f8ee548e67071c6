"""The soak, small; and that it sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak import Memory, soak
from benchmarks.soak_mix import Answer, Tally, apart
from edge_agent.engine.params import TokenLogprobs


async def test_sixty_mixed_requests_leave_nothing_behind(smollm2_path: Path) -> None:
    report = await soak(smollm2_path, 60, seed=7, n_ctx=256, n_threads=1, say=print)
    assert report.problems == []
    assert report.restarts == 0
    assert sum(report.kinds.values()) >= 60
    assert report.alone["identical"] >= report.alone["exact"] > 0
    assert report.under_load["compared"] > 10
    left = report.left
    assert left["running"] == left["waiting"] == left["slots_busy"] == left["slots_wrong"] == 0
    assert left["cells_free"] == left["cells"]


def answer(*tokens: tuple[int, float]) -> Answer:
    """Tokens with their logprobs; beside each, 7 was a little less likely, and 8 much less."""
    logprobs = [
        TokenLogprobs(id, nats, ((id, nats), (7, nats - 0.25), (8, nats - 2)))
        for id, nats in tokens
    ]
    return Answer([[id for id, _ in tokens]], [logprobs], ["length"])


def test_drift_is_the_largest_behind_the_same_tokens() -> None:
    alone = answer((1, -0.5), (2, -1.0), (3, -1.0))
    other = answer((1, -0.6), (2, -1.25), (7, -1.2))
    assert apart(alone, other, greedy=True) == (0.25, 0.25)
    assert apart(alone, other, greedy=False) == (0.25, None)
    assert apart(alone, alone, greedy=True) == (0.0, None)


def test_a_token_that_was_unlikely_alone_is_a_problem() -> None:
    tally = Tally()
    for unlikely in (8, 99):
        tally.compare("it", answer((1, -0.1)), answer((unlikely, -0.2)), True, 0.7)
    assert tally.problems == ["it: gap of 2 nats from when it was alone"] * 2
    tally.compare("it", answer((1, -0.1)), answer((7, -0.2)), True, 0.7)
    assert len(tally.problems) == 2


def test_an_answer_that_drifted_is_a_problem_and_one_that_rounded_is_not() -> None:
    tally = Tally()
    tally.compare("it", answer((1, -0.5)), answer((1, -0.6)), True, 0.7)
    assert tally.problems == []
    tally.compare("it", answer((1, -0.5)), answer((1, -2.5)), True, 0.7)
    assert tally.problems == ["it: drift of 2 nats from when it was alone"]
    assert (tally.compared, tally.identical) == (2, 2)


def test_growth_is_a_slope_over_the_last_two_thirds_that_one_peak_does_not_make() -> None:
    memory = Memory(done=list(range(50, 1050, 50)))
    grows = [100_000_000 + 20_000 * done for done in memory.done]
    flat = [100_000_000] * 20
    flat[3] = flat[12] = 200_000_000
    assert memory.slope_mb(grows) == pytest.approx(20.0)
    assert memory.slope_mb(flat) == 0.0
    assert Memory(done=[50, 100]).slope_mb([1, 2]) is None
