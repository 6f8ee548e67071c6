"""Figures, targets and what lacks an ability."""

from __future__ import annotations

import json

from edge_agent.bench.report import Report, Result, Target, report_as_json


def test_a_target_is_met_from_its_own_side() -> None:
    fast, small = Target("ratio", 0.97), Target("s", 0.25, "at most")
    assert (fast.met(0.98), fast.met(0.9), small.met(0.2), small.met(0.3)) == (1, 0, 1, 0)
    assert Target("s").met(5) is None
    missed = Result("cancel", "p99", 0.3, small)
    assert not Report({}, {}, (missed,)).ok


def test_what_lacks_an_ability_has_no_value_and_misses_the_target() -> None:
    lacking = Result("prune", "a / b, other", None, Target("ratio", 20), "cannot prune")
    unasked = Result("fork", "a / b, other", None, Target("ratio"), "cannot fork")
    assert (lacking.ok, unasked.ok) == (False, None)
    rows = json.loads(json.dumps(report_as_json(Report({}, {}, (lacking, unasked)))))["results"]
    assert rows[0]["value"] is None and rows[0]["lacks"] == "cannot prune"
    assert rows[0]["bound"] == "at least" and "bound" not in rows[1]
