from __future__ import annotations

import json
import re

import pytest

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.shapes import MOST_SPANS, SHAPED, shape
from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import as_text
from edge_agent.agent.refine.ranker import Ranker

from .fakes import Script, evidence

FREE = {"type": "string", "minLength": 1, "maxLength": 120}


def offered(question: str) -> object:
    return shape(asked(question), list(evidence()), SHAPED).get("enum")


@pytest.mark.parametrize(
    ("question", "alternatives"),
    [
        ("Is the Thrift a smack?", ["yes", "no", "not found"]),
        ("Which is older, the Thrift or the bell?", ["the Thrift", "the bell", "not found"]),
        ("In which year was the Thrift built?", ["1871", "not found"]),
        ("When was the Thrift built?", ["1871", "not found"]),
        ("How much does the bell weigh?", ["1871", "210", "210 kilograms", "not found"]),
    ],
)
def test_an_answer_is_one_of_what_the_question_or_the_facts_offer(
    question: str, alternatives: list[str]
) -> None:
    assert set(alternatives) == set(offered(question) or ())  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "question",
    [
        "Who built the Thrift?",
        "Which smack is it?",
        "How many years did it take in all?",
        "When does the Thrift sail on Saturdays?",  # at 17:05, and not in 1871
        "When is the Thrift open?",
    ],
)
def test_an_unknown_shape_stays_free(question: str) -> None:
    assert shape(asked(question), list(evidence()), SHAPED) == FREE


@pytest.mark.parametrize("question", ["Where was Ane Pollock born?", "In which city did he die?"])
def test_a_place_is_no_number_and_no_date(question: str) -> None:
    wanted = shape(asked(question), list(evidence()), SHAPED)
    assert wanted["type"] == "string"
    for place in ("Mossby", "St. John's, Orvel", "not found"):
        assert re.search(str(wanted["pattern"]), place)
    for other in ("1908", "May 24, 1974", "born in 1871", ""):
        assert not re.search(str(wanted["pattern"]), other)


def test_a_kind_without_spans_in_the_facts_stays_free() -> None:
    facts = list(evidence({"http://h/a": "Nothing is dated here."}))
    assert shape(asked("When was it built?"), facts, SHAPED) == FREE


def test_more_spans_than_help_stay_free() -> None:
    text = " ".join(f"In {year} it rained." for year in range(1800, 1801 + MOST_SPANS))
    facts = list(evidence({"http://h/a": text}))
    assert shape(asked("In which year was it dry?"), facts, SHAPED) == FREE


async def test_shapes_change_the_schema_and_never_the_prompt() -> None:
    question = "Is the Thrift a smack?"
    wrote = {"facts": [1], "thought": "It is.", "answer": "yes"}
    for shaped in (SHAPED, frozenset[object]()):
        chat = Script(wrote)
        await Answerer(chat, Ranker(None), 500, shaped).extract(question, evidence())  # type: ignore[arg-type]
        told = prompt("answer").format(facts=as_text(evidence()), question=question)
        assert chat.rendered == [told]
        properties = json.loads(json.dumps(chat.requests[0].response_schema))["properties"]
        assert list(properties) == ["facts", "thought", "answer"]
        assert ("enum" in properties["answer"]) is bool(shaped)
