from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.links import links, returned, without_made_up
from edge_agent.agent.refine.ranker import Ranker

from .fakes import Script, evidence

KNOWN = {"https://en.harbour.org/wiki/Tarr's_Mural_(1911)", "http://h/thrift"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("See https://made.up/page.", "See."),
        ("It is so (https://made.up/a_(b)), they say.", "It is so, they say."),
        ('[The mural](https://made.up/x "t") is old.', "The mural is old."),
        ("<https://made.up> and www.made.up/x and made.up/x end", "and and end"),
        ("Read http://h/thrift, please.", "Read http://h/thrift, please."),
        ("[Thrift](http://h/thrift/)", "[Thrift](http://h/thrift/)"),
        (
            "(en.harbour.org/wiki/Tarr's_Mural_(1911))",
            "(en.harbour.org/wiki/Tarr's_Mural_(1911))",
        ),
        ("http://h/thrift/more", ""),
        ("Write to ane@h.org, of Amazon.com, at 3.5 km/h.", None),
        ("A   text  without links .", None),
        ("httpwww.evil.com/xs://made.up/", ""),
    ],
)
def test_a_made_up_link_is_taken_out_and_a_known_one_stays(text: str, left: str | None) -> None:
    assert without_made_up(text, KNOWN) == (text if left is None else left)


PIECES = st.sampled_from(
    ["http://", "https://h/thrift", "www.", "evil.com/", "x", " ", "[", "](", ")", "(", ".", "\n"]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_link_is_left_that_was_not_known(text: str) -> None:
    left = without_made_up(text, KNOWN)
    assert all(without_made_up(link, KNOWN) == link for link in links(left))
    assert without_made_up(left, KNOWN) == left
    assert all(link.rstrip("/").endswith("://h/thrift") for link in links(left))


@given(st.text())
def test_a_text_without_links_is_not_touched(text: str) -> None:
    if not links(text):
        assert without_made_up(text, ()) == text


def test_links_of_the_pages_that_were_read_were_returned() -> None:
    found = evidence({"http://h/a": "The site is www.thrift.org/log, they say."})
    assert returned(found) == {"http://h/a", "www.thrift.org/log"}


@pytest.mark.parametrize(
    ("wrote", "known", "given_"),
    [
        ("Ane Pollock, see http://made.up/1", (), "Ane Pollock, see"),
        ("Ane Pollock, see http://hit/1", ("http://hit/1",), "Ane Pollock, see http://hit/1"),
        ("http://made.up/1", (), "not found"),
    ],
)
async def test_an_answer_has_no_link_that_no_tool_returned(
    wrote: str, known: tuple[str, ...], given_: str
) -> None:
    answerer = Answerer(Script({"facts": [1]}), Ranker(None), 200)
    answer = await answerer.support("Who built the Thrift?", wrote, evidence(), known)
    assert answer.text == given_
    drawn = Answerer(Script({"facts": [1], "answer": wrote}), Ranker(None), 200)
    assert "made.up" not in (await drawn.extract("Who built the Thrift?", evidence())).text
