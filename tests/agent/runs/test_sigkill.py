"""Runs survive the death of their server at any moment (`benchmarks/sigkill.py` kills more)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from .slaughter import Slaughter

KILLS = 25


def test_killed_runs_end_with_all_they_recorded_and_nothing_done_twice(tmp_path: Path) -> None:
    with closing(Slaughter(tmp_path, seed=4)) as slaughter:
        tally = slaughter.kill(KILLS)
    assert tally.faults == []
    assert tally.kills == KILLS
    assert tally.runs >= 3
    assert tally.cut_steps > 0  # else no kill ever hit a step
