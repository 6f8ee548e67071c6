"""From the samples of all rounds to figures."""

from __future__ import annotations

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig
from edge_agent.bench.suite import Figure, Samples, Suite
from tests.bench.fakes import Absent

STRICT, LOOSE = Target("ratio", 0.97), Target("ratio", 0.93)


async def nothing(rig: Rig) -> Samples:
    return {}


SUITE = Suite(
    nothing,
    {
        "over bare": Figure(STRICT, http=LOOSE),
        "wait": Figure(Target("s", 1, "at most"), "p99"),
        "computed": Figure(Target("tokens"), "max"),
    },
)


def test_a_figure_is_the_median_the_percentile_or_the_largest_of_all_rounds() -> None:
    rounds: list[Samples] = [
        {"1 sequence, over bare": [0.9], "wait": [0.0] * 99, "computed": [3]},
        {"1 sequence, over bare": [1.0], "wait": [10.0], "computed": [8]},
        {"1 sequence, over bare": [0.95], "computed": [5]},
    ]
    ratio, wait, computed = SUITE.results("some", Absent("engine", "engine"), rounds)
    assert (ratio.case, ratio.value, ratio.target) == ("1 sequence, over bare", 0.95, STRICT)
    assert wait.value is not None and 0 < wait.value < 10
    assert computed.value == 8


def test_others_bear_their_name_and_the_target_of_http() -> None:
    (result,) = SUITE.results("some", Absent(), [{"4 sequences, over bare": [0.95]}])
    assert (result.case, result.target) == ("4 sequences, over bare, absent", LOOSE)
    assert result.ok is True


def test_one_case_may_be_lacking_beside_others() -> None:
    samples: Samples = {"1 sequence, over bare": [1.0], "4 sequences, over bare": Lacking("waits")}
    one, four = SUITE.results("some", Absent(), [samples])
    assert (one.value, four.value, four.note) == (1.0, None, "waits")


def test_what_lacks_a_suite_shows_it_in_every_figure_that_is_asked() -> None:
    lacking = SUITE.lacking("some", Absent(), "cannot")
    assert [result.case for result in lacking] == ["over bare, absent", "wait, absent"]
    assert all(result.value is None and result.ok is False for result in lacking)
