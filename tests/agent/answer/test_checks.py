from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge_agent.agent.answer.checks import Candidate, check
from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.verdict import Verdict
from edge_agent.agent.records import Citation

from .fakes import evidence, fact


def candidate(question: str, text: str, numbers: Sequence[int] = (2,)) -> Candidate:
    found = evidence()
    cited = [fact(found, number).citation for number in numbers]
    return Candidate(question, asked(question), text, cited, list(found))


def verdict(question: str, text: str) -> Verdict:
    return check(candidate(question, text))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who built the Thrift?", "Ane Pollock"),
        ("Who built the Thrift?", "Pollock, Ane"),
        ("Which smack was built by Pollock?", "The smack built by Pollock was the Thrift."),
        ("Where did the Thrift carry the bell?", "Mossby"),
        ("When was the Thrift built?", "1871"),
        ("How much does the bell weigh?", "210 kilograms"),
        ("How much does the bell weigh?", "210"),
        ("Is the Thrift a smack?", "Yes."),
        ("Which is older, the Thrift or the bell?", "Thrift"),
        ("What carried the bell?", "The Thrift, an old smack"),
        ("Who built the Thrift, and what does the bell weigh?", "Ane Pollock and 210 kilograms"),
        (
            "Who built the Thrift?",
            "The old smack Thrift was built by Ane Pollock in 1871, and she has tanned sails.",
        ),
    ],
)
def test_a_good_answer_passes(question: str, text: str) -> None:
    assert verdict(question, text).fault is None


@pytest.mark.parametrize(
    ("question", "text", "fault", "told"),
    [
        ("Who built the Thrift?", "not found", "missing", "no answer"),
        ("Who built the Thrift?", "  ", "missing", "no answer"),
        ("Who built the Thrift?", "1871", "wrong_kind", "a person or group"),
        ("Where is the Thrift?", "yes", "wrong_kind", "a place"),
        ("Is the Thrift a smack?", "Ane Pollock", "wrong_kind", "yes or no"),
        ("Which is older, the Thrift or the Gull?", "Ane Pollock", "wrong_kind", "names it offers"),
        ("When was she built?", "Ane Pollock", "wrong_kind", "a date or time"),
        ("In what year was she built?", "Mossby", "wrong_kind", "a year"),
        ("How many sails has she?", "tanned sails", "wrong_kind", "a number"),
        ("What was carried?", "yes", "wrong_kind", "more than yes or no"),
        ("Who built the smack Thrift?", "the Thrift", "echo", "repeats the question"),
        ("Who built the Thrift?", "Gerrith Olm", "unstated", "“Gerrith Olm”"),
        ("Who built the Thrift?", "Ane Pollock and Gerrith Olm", "unstated", "“Gerrith Olm”"),
        ("How much does the bell weigh?", "210 tons", "unstated", "tons"),
        ("How much does the bell weigh?", "1871 kilograms", "unstated", "1871 kilograms"),
    ],
)
def test_each_fault_is_named_and_told_in_a_sentence(
    question: str, text: str, fault: str, told: str
) -> None:
    found = verdict(question, text)
    assert (found.fault, found.accepted) == (fault, False)
    assert told in found.feedback
    assert found.feedback.endswith(".")


def test_a_number_with_a_unit_that_stands_elsewhere_is_not_literal() -> None:
    pages = {"http://h/a": "The nets weigh 30 tons and the 210 bells weigh some kilograms."}
    found = evidence(pages)
    text = "210 kilograms"
    question = "How much do the bells weigh?"
    cited = [fact(found, 1).citation]
    candidate_ = Candidate(question, asked(question), text, cited, list(found))
    assert check(candidate_).fault == "number"
    assert check(replace(candidate_, text="30 tons")).fault is None


def test_the_number_of_a_fact_is_no_number_of_its_text() -> None:
    assert verdict("How many sails has the Thrift?", "3").fault == "unstated"


def test_an_answer_without_a_quote_is_not_proven() -> None:
    assert check(candidate("Who built the Thrift?", "Ane Pollock", ())).fault == "unquoted"


@pytest.mark.parametrize(
    ("url", "quote"),
    [
        ("http://h/thrift", "She was built by Ane Pollock."),
        ("http://h/bell", "She was built by Ane Pollock in 1871."),
        ("http://h/nowhere", "She was built by Ane Pollock in 1871."),
    ],
)
def test_a_quote_that_its_page_does_not_have_is_seen(url: str, quote: str) -> None:
    forged = Citation("web", url, "Thrift", quote)
    good = candidate("Who built the Thrift?", "Ane Pollock")
    assert check(replace(good, citations=[*good.citations, forged])).fault == "misquoted"


def test_a_long_answer_that_nothing_carries_is_unstated() -> None:
    text = "The mayor of Orvel likes herring very much indeed, and so does his whole family there."
    assert verdict("What is known of the mayor?", text).fault == "unstated"
