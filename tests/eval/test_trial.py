"""The line of a try."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge_agent.eval.trial import Trial, scored, scored_as_json, scored_from_json

from .fakes import QUESTION, RUN


def test_figures_come_from_the_record_of_the_run() -> None:
    line = scored(QUESTION, 2, Trial(RUN, 1), 3.25)
    assert (line.id, line.attempt, line.kind, line.em, line.f1) == ("q1", 2, "bridge", 1, 1)
    assert (line.generated, line.prefilled, line.reprefilled) == (50, 200, 8)
    assert (line.turns, line.actions, line.repeated, line.tool_calls) == (2, 2, 1, 2)
    assert (line.invalid, line.retries, line.folds, line.forced) == (2, 1, 1, False)
    assert (line.citations, line.quoted, line.seconds) == (1, 1, 3.25)


@pytest.mark.parametrize(("reason", "outside"), [("tool_failed", True), ("repetition", False)])
def test_some_reasons_say_nothing_about_the_model(reason: str, outside: bool) -> None:
    run = replace(RUN, reason=reason)  # type: ignore[arg-type]
    assert scored(QUESTION, 0, Trial(run), 1).failed_outside is outside


def test_a_line_survives_json() -> None:
    line = scored(QUESTION, 0, Trial(RUN), 1.0)
    text = json.dumps(scored_as_json(line))
    again = scored_from_json(json.loads(text))
    assert json.dumps(scored_as_json(again)) == text
    assert again.run["steps"][1]["actions"][0]["repeated"] is True
    with pytest.raises(KeyError):
        scored_from_json({"id": "q1"})
