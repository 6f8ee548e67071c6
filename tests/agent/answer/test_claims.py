from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.claims import claims
from edge_agent.agent.refine.ranker import Ranker

from .fakes import PAGES, Script, evidence, fact

LONG = (
    "The Thrift was built by Ane Pollock in 1871. The bell weighs 210 kilograms. "
    "The mayor of Orvel likes herring very much."
)


def test_a_short_answer_is_one_claim_with_what_was_cited() -> None:
    found = evidence()
    cited = [fact(found, 2).citation]
    assert [(c.text, c.citations) for c in claims("Ane Pollock", cited, list(found))] == [
        ("Ane Pollock", tuple(cited))
    ]


def test_each_sentence_of_a_long_answer_has_the_quote_that_carries_it() -> None:
    found = claims(LONG, [], list(evidence()))
    assert [claim.text for claim in found] == LONG.replace(". ", ".\n").split("\n")
    assert [[c.quote for c in claim.citations] for claim in found] == [
        ["She was built by Ane Pollock in 1871."],
        ["The bell weighs 210 kilograms."],
        [],
    ]


def test_a_quote_with_another_number_carries_no_claim() -> None:
    wrong = LONG.replace("210", "120").replace("1871", "1817")
    assert all(not claim.citations for claim in claims(wrong, [], list(evidence())))


WORDS = st.sampled_from(" ".join([*PAGES.values(), "herring mayor 99"]).split())


@given(st.lists(WORDS, max_size=30).map(" ".join), st.sets(st.integers(1, 5)))
def test_every_quote_stands_on_the_page_it_is_cited_from(text: str, numbers: set[int]) -> None:
    found = evidence()
    cited = [fact(found, number).citation for number in sorted(numbers)]
    quotes = [c for claim in claims(text, cited, list(found)) for c in claim.citations]
    assert all(quote.quote in PAGES[quote.url] for quote in quotes)


@given(st.lists(WORDS, max_size=40).map(" ".join))
def test_claims_are_the_answers_own_words_in_order(text: str) -> None:
    place = 0
    for claim in claims(text, [], list(evidence())):
        place = text.index(claim.text, place) + len(claim.text)


async def test_a_long_answer_cites_what_its_claims_cite() -> None:
    answerer = Answerer(Script({"facts": []}), Ranker(None), 500)
    answer = await answerer.support("Who built the Thrift?", LONG, evidence())
    assert {c.url for c in answer.citations} == set(PAGES)
    assert [bool(claim.citations) for claim in answer.claims] == [True, True, False]
