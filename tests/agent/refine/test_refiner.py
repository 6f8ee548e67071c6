from __future__ import annotations

from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import NoteBudget, Refiner
from edge_agent.tools.base import Page

from ..fakes import FakeChat, Says


def page(text: str, url: str = "http://h/p") -> Page:
    return Page(url, "Page", text, "text/html", "web", "2026-01-01T00:00:00Z")


def refiner(chat: FakeChat, ranked: int = 60, noted: int = 30) -> Refiner:
    return Refiner(
        chat, Ranker(None), NoteBudget(pages=2, ranked=ranked, noted=noted), prompt("condense")
    )


LONG = " ".join(f"Filler sentence number {i} says little." for i in range(60))
NEEDLE = "The Thrift was built by Ane Pollock."


async def test_a_short_page_goes_straight_in_without_the_model() -> None:
    chat = FakeChat([Says()])
    refined = await refiner(chat).refine([page(NEEDLE)], "builder", "Who?", Evidence())
    assert NEEDLE in refined.notes[0].text
    assert chat.requests == []


async def test_a_long_page_keeps_what_speaks_to_the_purpose_within_the_budget() -> None:
    chat = FakeChat([Says()])
    text = f"{LONG} {NEEDLE} {LONG}"
    question = "Who built the Thrift?"
    refined = await refiner(chat, ranked=30).refine([page(text)], "builder", question, Evidence())
    assert NEEDLE in refined.notes[0].text
    assert chat.count(refined.notes[0].text) < 60
    assert chat.requests == []


async def test_the_model_condenses_what_ranking_left_too_long_and_only_by_pointing() -> None:
    chat = FakeChat([Says()])
    refined = await refiner(chat, ranked=200).refine([page(LONG)], "filler", "Which?", Evidence())
    assert len(chat.requests) == 1
    assert chat.requests[0].thinking is False
    assert refined.completion is not None
    facts = [line for line in refined.notes[0].text.splitlines() if line.startswith("[")]
    assert facts == ["[1] Filler sentence number 0 says little."]


async def test_every_fact_is_literally_on_its_page() -> None:
    text = f"{LONG} {NEEDLE}"
    evidence = Evidence()
    await refiner(FakeChat([Says()]), ranked=40).refine([page(text)], "", "Thrift?", evidence)
    assert len(evidence) > 0
    assert all(fact.citation.quote in text for fact in evidence)


async def test_a_page_with_no_text_gives_an_empty_note() -> None:
    refined = await refiner(FakeChat([Says()])).refine([page("")], "", "Who?", Evidence())
    assert refined.notes[0].text == ""


async def test_more_pages_than_the_turn_may_have_are_left_out() -> None:
    pages = [page(NEEDLE, f"http://h/{i}") for i in range(4)]
    refined = await refiner(FakeChat([Says()])).refine(pages, "", "Who?", Evidence())
    assert [note.url for note in refined.notes] == ["http://h/0", "http://h/1"]


async def test_the_same_words_of_a_page_keep_their_number() -> None:
    evidence = Evidence()
    one = refiner(FakeChat([Says()]))
    first = await one.refine([page(NEEDLE)], "", "Who?", evidence)
    again = await one.refine([page(NEEDLE)], "", "Who?", evidence)
    assert first.notes == again.notes
    assert len(evidence) == 1
    assert as_text(evidence).count(NEEDLE) == 1


async def test_pages_of_a_turn_compete_for_one_budget() -> None:
    pages = [page(LONG, "http://h/filler"), page(f"{NEEDLE} {LONG}", "http://h/needle")]
    evidence = Evidence()
    await refiner(FakeChat([Says()]), ranked=30).refine(
        pages, "", "Who built the Thrift?", evidence
    )
    assert {fact.page.url for fact in evidence if NEEDLE in fact.passage.text} == {
        "http://h/needle"
    }
    assert sum(len(fact.line.split()) for fact in evidence) < 40
