from __future__ import annotations

import json

import pytest

from edge_agent.agent.answer.answerer import NOT_FOUND, Answerer, echoes, is_missing
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.passages import split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import ChatRequest
from edge_agent.tools.base import Page

from ..fakes import FakeChat, Says

TEXT = "The Thrift is an old smack. She was built by Ane Pollock. She has tanned sails."


class Pointing(FakeChat):
    """Answers every request with the same object, or the same text."""

    def __init__(self, wrote: dict[str, object] | str) -> None:
        super().__init__([Says()])
        self.wrote = wrote

    def _next(self, request: ChatRequest) -> Says:
        return Says(self.wrote if isinstance(self.wrote, str) else json.dumps(self.wrote))


def evidence() -> Evidence:
    found = Evidence()
    page = Page("http://h/thrift", "Thrift", TEXT, "text/html", "web", "2026-01-01T00:00:00Z")
    found.add(page, split(TEXT))
    return found


async def quotes(wrote: dict[str, object], tokens: int = 200) -> tuple[str, list[str]]:
    answerer = Answerer(Pointing(wrote), Ranker(None), tokens)
    answer = await answerer.extract("Who built the Thrift?", evidence())
    return answer.text, [citation.quote for citation in answer.citations]


async def test_the_facts_the_model_points_at_are_the_proof() -> None:
    assert await quotes({"facts": [2], "answer": "Ane Pollock"}) == (
        "Ane Pollock",
        ["She was built by Ane Pollock."],
    )


async def test_a_fact_with_the_answers_words_is_cited_when_the_model_points_past_it() -> None:
    _, cited = await quotes({"facts": [1], "answer": "Ane Pollock"})
    assert cited == ["She was built by Ane Pollock.", "The Thrift is an old smack."]


async def test_a_fact_that_has_no_word_of_what_was_asked_and_written_is_not_cited() -> None:
    _, cited = await quotes({"facts": [2, 3], "answer": "Ane Pollock"})
    assert cited == ["She was built by Ane Pollock."]
    _, cited = await quotes({"facts": [2, 3], "thought": "With tanned sails.", "answer": "Ane"})
    assert cited == ["She was built by Ane Pollock.", "She has tanned sails."]


@pytest.mark.parametrize(
    ("wrote", "text"), [("Mossby", NOT_FOUND), ("1902", NOT_FOUND), ("Lena Tarr", NOT_FOUND)]
)
async def test_a_name_of_the_prompts_example_is_no_answer(wrote: str, text: str) -> None:
    assert (await quotes({"facts": [2], "answer": wrote}))[0] == text


async def test_a_name_of_the_prompts_example_is_an_answer_where_a_page_has_it() -> None:
    found = evidence()
    page = Page("http://h/m", "Voss", "Mara Voss is from Mossby.", "text/html", "web", "2026-01-01")
    found.add(page, split(page.text))
    answerer = Answerer(Pointing({"facts": [4], "answer": "Mossby"}), Ranker(None), 200)
    assert (await answerer.extract("Where is Mara Voss from?", found)).text == "Mossby"


async def test_what_the_model_points_at_is_cited_where_nothing_has_a_word_of_it() -> None:
    _, cited = await quotes({"facts": [3], "answer": "Mara Voss"})
    assert cited == ["She has tanned sails."]


@pytest.mark.parametrize(
    ("wrote", "text"),
    [("May Pen", "May Pen"), ("May ", NOT_FOUND), ("May ,", NOT_FOUND), ("June Tenth", NOT_FOUND)],
)
async def test_a_date_is_no_place(wrote: str, text: str) -> None:
    found = Evidence()
    said = "He died in May Pen on May 24, 1974."
    page = Page("http://h/brand", "Brand", said, "text/html", "web", "2026-01-01T00:00:00Z")
    found.add(page, split(said))
    answerer = Answerer(Pointing({"facts": [1], "answer": wrote}), Ranker(None), 200)
    answer = await answerer.extract("Where did Ode Brand die?", found)
    assert answer.text == text


@pytest.mark.parametrize("numbers", [[], [99], [2, 2]])
async def test_numbers_that_are_no_facts_or_come_twice_do_no_harm(numbers: list[int]) -> None:
    _, cited = await quotes({"facts": numbers, "answer": "Ane Pollock"})
    assert cited == ["She was built by Ane Pollock."]


async def test_nothing_is_cited_for_an_answer_that_was_not_found() -> None:
    assert await quotes({"facts": [], "answer": "not found"}) == ("not found", [])


async def test_a_generation_that_was_cut_off_is_not_found() -> None:
    answerer = Answerer(Pointing('{"facts": [1], "ans'), Ranker(None), 200)
    answer = await answerer.extract("Who?", evidence())
    assert is_missing(answer.text)


async def test_facts_the_model_pointed_at_before_stay_within_a_small_budget() -> None:
    found = evidence()
    found.mark([3])
    answerer = Answerer(Pointing({}), Ranker(None), 9)
    assert [fact.number for fact in answerer.closest("Who built the Thrift?", found)] == [3]


async def test_an_answer_of_the_models_own_keeps_its_words_and_gets_its_proof() -> None:
    answerer = Answerer(Pointing({"facts": []}), Ranker(None), 200)
    answer = await answerer.support("Who built the Thrift?", "It was Ane Pollock.", evidence())
    assert answer.text == "It was Ane Pollock."
    assert answer.citations[0].quote == "She was built by Ane Pollock."


@pytest.mark.parametrize(
    ("question", "answer", "repeats"),
    [
        ("Who designed the lighthouse that Orrick Vane kept?", "Orrick Vane", True),
        ("Who designed the lighthouse that Orrick Vane kept?", "Gerrith Olm", False),
        ("Which is longer, the Thrift or the Gull?", "The Thrift", False),
        ("How many years did it take?", "66 years", False),
        ("Who?", "", False),
    ],
)
def test_a_name_of_the_question_is_no_answer_unless_it_was_a_choice(
    question: str, answer: str, repeats: bool
) -> None:
    assert echoes(question, answer) is repeats


async def test_a_year_is_told_with_the_day_that_its_page_has() -> None:
    answerer = Answerer(Pointing({"facts": [1], "answer": "1871"}), Ranker(None), 200)
    found = Evidence()
    text = "Ane Pollock (1811-1871) built smacks. She died on 5 May 1871 in Mossby."
    page = Page("http://h/ane", "Ane", text, "text/html", "web", "2026-01-01T00:00:00Z")
    found.add(page, split(text))
    assert (await answerer.extract("When did Ane Pollock die?", found)).text == "5 May 1871"
    assert (await answerer.extract("In what year did Ane Pollock die?", found)).text == "1871"
