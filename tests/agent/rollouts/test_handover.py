from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.agent.answer.verdict import Fault, Verdict
from edge_agent.agent.records import Action, Note, Reason, Step
from edge_agent.agent.rollouts.handover import Failure, Handover, handed_over

from ..answer.fakes import PAGES, answer, evidence

QUESTION = "Who built the smack Thrift for the mayor of Orvel?"
STEPS = (
    Step(
        1,
        actions=(Action("search", {"query": ["Thrift builder", "Orvel"]}, "2 results"),),
        notes=(
            Note("web", "http://h/thrift", "Thrift", "[2] She was built by Ane Pollock."),
            Note("web", "http://h/market", "Market", ""),
        ),
    ),
    Step(
        2,
        actions=(
            Action("fetch_url", {"url": ["http://h/gone"], "purpose": "x"}, "", error="404"),
            Action("search", {"query": "Thrift builder"}, "searched before", repeated=True),
        ),
        notes=(Note("web", "http://h/bell", "Bell", "[4] The bell weighs 210 kilograms."),),
    ),
)


def handover(reason: Reason = "answered", fault: Fault | None = "echo") -> Handover:
    found = evidence()
    found.mark([4])
    verdict = Verdict(fault, "“Thrift” only repeats the question." if fault else "")
    given = replace(answer("Thrift", found, [2]), verdict=verdict)
    return handed_over(QUESTION, reason, STEPS, found, given)


@pytest.mark.parametrize(
    ("reason", "fault", "failure"),
    [
        ("answered", "echo", "misdirected"),
        ("answered", "wrong_kind", "misdirected"),
        ("answered", "contradicted", "misdirected"),
        ("answered", "unstated", "incomplete"),
        ("steps_limit", "missing", "incomplete"),
        ("time_limit", None, "incomplete"),
        ("repetition", "missing", "misdirected"),
        ("format_error", "missing", "bad_format"),
        ("tool_failed", None, "blocked"),
        ("env_error", None, "blocked"),
    ],
)
def test_a_failure_has_one_of_four_names(
    reason: Reason, fault: Fault | None, failure: Failure
) -> None:
    assert handover(reason, fault).failure == failure


def test_the_state_is_extracted_and_not_retold() -> None:
    left = handover()
    assert left.answer == "Thrift"
    assert left.why == "“Thrift” only repeats the question."
    assert left.queries == ("Thrift builder", "Orvel")
    assert [(source.url, source.status) for source in left.sources] == [
        ("http://h/thrift", "cited"),
        ("http://h/market", "nothing useful"),
        ("http://h/gone", "could not be read"),
        ("http://h/bell", "read"),
    ]
    assert left.gaps == ("mayor", "Orvel")
    assert left.marked == (2, 4)
    assert all(fact.passage.text in PAGES[fact.page.url] for fact in left.facts)


def test_the_text_for_the_model_has_every_part_and_only_the_facts_that_matter() -> None:
    text = handover().text()
    for part in (
        "a line that does not lead to what is asked",
        "“Thrift” only repeats the question.",
        "[2] She was built by Ane Pollock in 1871.",
        "[4] The bell weighs 210 kilograms.",
        "http://h/gone): could not be read",
        "Thrift builder; Orvel",
        "mayor, Orvel",
    ):
        assert part in text
    assert "tanned sails" not in text


def test_a_run_that_begins_with_the_state_has_the_same_facts_under_the_same_numbers() -> None:
    state = handover().state()
    assert [(f.number, f.text) for f in state.facts] == [
        (f.number, f.passage.text) for f in evidence()
    ]
    assert state.marked == (2, 4)
    assert state.urls == ("http://h/thrift", "http://h/market", "http://h/bell")


def test_an_attempt_that_found_nothing_leaves_that_in_words() -> None:
    left = handed_over(QUESTION, "tool_failed", (), evidence({}), None)
    assert (left.answer, left.facts, left.sources) == ("not found", (), ())
    assert left.text().count("(none)") == 3
