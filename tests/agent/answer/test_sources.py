from __future__ import annotations

import pytest

from edge_agent.agent.answer.sources import conflict, otherwise, stated
from edge_agent.agent.refine.evidence import Evidence

from .fakes import evidence, fact

OLD = "Updated 3 May 2011.\n\nThe harbour bridge of Mossby is 120 metres long."
NEW = "Last updated: 2021-03-04\n\nThe harbour bridge of Mossby is 135 metres long."
UNDATED = "The harbour bridge of Mossby is 140 metres long."
OTHER = "Updated 2022.\n\nThe railway tunnel of Orvel is 900 metres long."


def world(*texts: str) -> Evidence:
    return evidence({f"http://h/{i}": text for i, text in enumerate(texts)})


def length(found: Evidence, text: str) -> int:
    return next(f.number for f in found if text in f.passage.text)


@pytest.mark.parametrize(
    ("ours", "other", "newer"),
    [(OLD, NEW, "theirs"), (NEW, OLD, "ours"), (OLD, UNDATED, None), (UNDATED, NEW, None)],
)
def test_two_pages_with_other_numbers_for_one_thing_contradict(
    ours: str, other: str, newer: str | None
) -> None:
    found = world(ours, other)
    mine = fact(found, length(found, ours[-18:-13]))
    answer = mine.passage.text.split(" is ")[1].removesuffix(" long.")
    clash = conflict("number", answer, [mine.citation], list(found))
    assert clash is not None
    assert clash.newer is {"ours": clash.ours, "theirs": clash.theirs, None: None}[newer]
    assert clash.theirs.passage.text in clash.remark
    assert f"[{clash.theirs.number}]" in clash.feedback


@pytest.mark.parametrize("other", [OTHER, NEW.replace("135", "120")])
def test_another_thing_or_the_same_number_is_no_contradiction(other: str) -> None:
    found = world(OLD, other)
    mine = fact(found, length(found, "120"))
    assert conflict("number", "120 metres", [mine.citation], list(found)) is None


def test_one_page_does_not_contradict_itself() -> None:
    found = world(OLD + " The harbour bridge of Mossby is 135 metres long.")
    mine = fact(found, length(found, "120"))
    assert conflict("number", "120 metres", [mine.citation], list(found)) is None


def test_a_fact_that_says_when_it_was_so_goes_before_its_page() -> None:
    found = world("Updated 2022.\n\nAs of 2010, 400 people live in Mossby.")
    assert stated(fact(found, length(found, "400"))) == (2010, 0, 0)


def test_facts_that_were_judged_to_contradict_count_on_other_pages_only() -> None:
    found = world(OLD, NEW)
    mine, theirs = fact(found, length(found, "120")), fact(found, length(found, "135"))
    clash = otherwise([mine.number, theirs.number], [mine.citation], list(found))
    assert clash is not None
    assert clash.theirs is theirs
    assert otherwise([mine.number], [mine.citation], list(found)) is None
