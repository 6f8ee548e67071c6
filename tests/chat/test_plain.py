from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.messages import Text
from edge_agent.chat.plain import PlainParser

WRITING = st.lists(
    st.sampled_from([" ", "\n", "<think>", "</think>", "<tool_call>", "{", "E", "END", "a"]),
    max_size=12,
).map("".join)


@given(WRITING, st.data())
def test_all_of_a_text_is_text_up_to_the_stop(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    parser = PlainParser(["END"])
    pieces = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.flush()
    before, stop, _ = text.partition("END")
    assert "".join(event.text for event in events if isinstance(event, Text)) == before
    assert parser.stopped == stop


def test_text_that_cannot_be_the_stop_is_said_at_once() -> None:
    parser = PlainParser(["END"])
    assert parser.feed("an E") == [Text("an ")]
    assert parser.feed("e") == [Text("Ee")]
