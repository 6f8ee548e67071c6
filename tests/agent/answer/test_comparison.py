from __future__ import annotations

import pytest

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.comparison import By, Comparison, comparison
from edge_agent.agent.answer.question import asked
from edge_agent.agent.refine.ranker import Ranker

from .fakes import Script, evidence

AGE = "Who is older, Ane Pollock or Ode Brand?"


def compared(question: str) -> Comparison | None:
    return comparison(question, asked(question))


@pytest.mark.parametrize(
    ("question", "by"),
    [
        (AGE, "earliest"),
        ("Which ship was built first, the Thrift or the Anna Maria?", "earliest"),
        ("Which ship has the builder who died later, the Thrift or the Anna Maria?", "latest"),
        ("Which film was released more recently, Smack or Bell?", "latest"),
        ("Which town has more people, Mossby or Orvel?", "most"),
        ("Which river is shorter, the Orle or the Moss?", "least"),
        ("Were Ane Pollock and Ode Brand of the same nationality?", "same"),
    ],
)
def test_the_words_of_a_question_say_how_it_compares(question: str, by: By) -> None:
    found = compared(question)
    assert found is not None and found.by == by


@pytest.mark.parametrize(
    "question",
    [
        "Who built the Thrift?",
        "Are Mossby and Orvel both towns?",
        "Which of them is a painter, Lena Tarr or Ode Brand?",
        "Which is older and larger, the Thrift or the Anna Maria?",  # two ways at once
        "Which film is a comedy, The Last Smack or Later Than You Think?",  # words of titles
    ],
)
def test_what_does_not_compare_in_one_known_way_is_left_alone(question: str) -> None:
    assert compared(question) is None


def settled(by: By, first: str, second: str) -> str:
    return Comparison(by, ("A", "B")).settle({"A": first, "B": second})


@pytest.mark.parametrize(
    ("by", "first", "second", "answer"),
    [
        ("earliest", "18 March 1970", "4 October 1990", "A"),
        ("latest", "18 March 1970", "4 October 1990", "B"),
        ("earliest", "born May 1911", "9 April 1911", "B"),
        ("earliest", "1911", "9 April 1911", ""),  # the year alone does not say
        ("earliest", "54 years", "32 years", "A"),
        ("latest", "54 years", "32 years", "B"),
        ("most", "3,100 people", "980", "A"),
        ("least", "3.5 km", "12 km", "A"),
        ("most", "12", "12", ""),
        ("most", "many", "12", ""),
        ("earliest", "not found", "1911", ""),
        ("earliest", "", "1911", ""),
        ("same", "Lyon, France", "France", "yes"),
        ("same", "France", "Norway", "no"),
        ("same", "France", "unknown", ""),
    ],
)
def test_the_values_decide(by: By, first: str, second: str, answer: str) -> None:
    assert settled(by, first, second) == answer


async def test_the_values_are_asked_for_under_the_names_and_overrule_a_wrong_conclusion() -> None:
    chat = Script(
        {
            "facts": [2],
            "compared": "date of birth",
            "Ane Pollock": "1840",
            "Ode Brand": "1838",
            "answer": "Ane Pollock",
        }
    )
    answer = await Answerer(chat, Ranker(None), 200).extract(AGE, evidence())
    assert answer.text == "Ode Brand"
    (request,) = chat.requests
    schema = request.response_schema
    assert schema is not None
    assert list(schema["required"])[1:4] == ["compared", "Ane Pollock", "Ode Brand"]
    assert "Example" in request.messages[0].content


async def test_where_the_values_do_not_say_the_model_has_the_word() -> None:
    chat = Script({"facts": [], "Ane Pollock": "not found", "answer": "Ane Pollock"})
    answer = await Answerer(chat, Ranker(None), 200).extract(AGE, evidence())
    assert answer.text == "Ane Pollock"
