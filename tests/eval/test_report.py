"""The page and the object."""

from __future__ import annotations

import json

from edge_agent.eval.measures import measure
from edge_agent.eval.report import Report, report_as_json, report_as_markdown
from edge_agent.eval.trajectory import trajectory

from .fakes import line

SETTINGS = {"arm": "agent", "questions": "q.jsonl", "n": 4, "k": 1, "seed": None, "model": "fake"}
LINES = [
    line("a", em=1, question="right one?"),
    line("b", em=0, f1=0.5, question="wrong | one?", answer="*Bo*\n# not a heading"),
    line("c", em=0, f1=0, question="right two?", reason="env_error"),
]


def report(n: int = 3) -> Report:
    return Report({"cores": 2}, SETTINGS, measure(LINES, n, 1), LINES)


def test_the_object_has_the_figures_the_settings_and_the_machine() -> None:
    whole = json.loads(json.dumps(report_as_json(report())))
    assert (whole["n"], whole["em"], whole["f1"]) == (3, 0.3333, 0.5)
    assert whole["reasons"] == {"answered": 2, "env_error": 1}
    assert whole["environment_failures"] == 1
    assert {"seconds", "generated_tokens", "prefilled_tokens", "reprefilled_tokens"} <= set(whole)
    assert set(whole["rates"]) >= {"loop", "invalid_call", "forced_answer", "citation_precision"}
    assert whole["settings"]["model"] == "fake" and whole["machine"] == {"cores": 2}


def test_the_page_has_every_try_and_some_to_read() -> None:
    page = report_as_markdown(report())
    assert "| exact match (avg@1) | 0.333 |" in page
    assert "| env\\_error | 1 |" in page or "| env_error | 1 |" in page
    assert page.count("### right: ") == 1 and page.count("### wrong: ") == 2
    assert "Unfinished" not in page
    assert "was built by Ane Pollock" in page  # the quote of a citation


def test_an_unfinished_page_says_so() -> None:
    assert "Unfinished: 3 of 40 tries." in report_as_markdown(report(40))


def test_no_answer_breaks_a_table_or_makes_a_heading() -> None:
    page = report_as_markdown(report())
    assert "\n# not a heading" not in page
    rows = [text for text in page.splitlines() if "wrong \\| one?" in text and text.startswith("|")]
    assert len(rows) == 1 and rows[0].replace("\\|", "").count("|") == 8


def test_the_first_tries_of_different_questions_are_shown() -> None:
    names = [("a", 1), ("a", 0), ("b", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1)]
    lines = [line(name, i, em=em, question=f"{name}{i}?") for i, (name, em) in enumerate(names)]
    page = report_as_markdown(Report({}, SETTINGS, measure(lines, 5, 2), lines))
    shown = [text.removeprefix("### ") for text in page.splitlines() if text.startswith("### ")]
    assert shown == ["right: a0?", "right: d5?", "wrong: a1?", "wrong: b2?"]


def test_nothing_that_a_page_says_is_markup_in_a_trajectory() -> None:
    made = line(answer="[x](http://evil) `rm` <b>")
    steps = made.run["steps"]
    steps[1]["notes"] = [{"title": "# T", "text": "# heading\n\n```\ncode"}]
    page = trajectory(made)
    assert "\\[x\\](http://evil) \\`rm\\` \\<b\\>" in page
    assert "    # heading\n    \n    ```\n    code" in page
    assert not [text for text in page.splitlines() if text.startswith(("# ", "```"))]
