from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.messages import CallPiece, Text, ToolCall, ToolSpec
from edge_agent.chat.parser import Piece, StreamParser

from .fakes import FETCH, SEARCH

NOTHING = ToolSpec("now", "The time.", {"type": "object", "properties": {}})
SEARCHED = '{"query": ["a } \\" </tool_call>"], "limit": 3}'
CALL = f'<tool_call>\n{{"name": "search", "arguments": {SEARCHED}}}\n</tool_call>'
FETCHED = '<tool_call>\n{"name": "fetch_url", "arguments": {"url": "http://é"}}\n</tool_call>'
WRITE = ToolSpec(
    "write",
    "Keep a text.",
    {
        "type": "object",
        "properties": {"text": {"type": "string"}, "line": {"type": "integer"}},
        "required": ["text"],
    },
)
WRITTEN = (
    "<tool_call>\n<function=write>\n<parameter=line>\n7\n</parameter>\n<parameter=text>\n"
    'a "b"\n\n < c </ d\n</parameter>\n</function>\n</tool_call>'
)
XML = (
    "<tool_call>\n<function=fetch_url>\n<parameter=url>\nhttp://x\n</parameter>\n</function>"
    "\n</tool_call>"
)
TOOLS = {tool.name: tool for tool in (SEARCH, FETCH, NOTHING, WRITE)}


def told(pieces: Sequence[str], cut: bool = False, live: bool = True) -> list[Piece]:
    ids = (f"call_{i}" for i in itertools.count())
    parser = StreamParser(TOOLS, lambda: next(ids), live=live)
    return [event for piece in pieces for event in parser.feed(piece)] + parser.flush(cut)


def arguments(events: Sequence[Piece], id: str) -> str:
    return "".join(e.arguments for e in events if isinstance(e, CallPiece) and e.id == id)


def calls(events: Sequence[Piece]) -> list[ToolCall]:
    return [e for e in events if isinstance(e, ToolCall)]


@given(st.data(), st.sampled_from([CALL, f"Well: {CALL}\n{FETCHED}", FETCHED + XML, XML, WRITTEN]))
def test_the_pieces_of_a_call_are_its_arguments_for_every_split(
    data: st.DataObject, text: str
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=12)))
    ends = [0, *cuts, len(text)]
    events = told([text[a:b] for a, b in itertools.pairwise(ends)])
    whole = calls(events)
    assert [(c.name, json.loads(c.arguments)) for c in whole] == [
        (c.name, json.loads(c.arguments)) for c in calls(told([text], live=False))
    ]
    assert all(arguments(events, call.id) == call.arguments for call in whole)


def test_the_name_comes_before_the_arguments_and_both_before_the_end() -> None:
    events = told(list(CALL))
    first = events[0]
    assert isinstance(first, CallPiece) and (first.name, first.arguments) == ("search", "")
    assert len([e for e in events if isinstance(e, CallPiece)]) > len(SEARCHED) / 2
    assert isinstance(events[-1], ToolCall) and events[-1].id == first.id


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "nobody", "arguments": {"a": 1}}\n</tool_call>',
        '<tool_call>\n{"arguments": {"query": ["a"]}, "name": "search"}\n</tool_call>',
        '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
        "<tool_call>\n{'name': 'search', 'arguments': {'query': ['a']}}\n</tool_call>",
        '{"name": "search", "arguments": {"query": ["a"]}}',
    ],
)
def test_what_needs_mending_is_told_when_it_is_whole(text: str) -> None:
    live, whole = told(list(text)), told([text], live=False)
    assert not [e for e in live if isinstance(e, CallPiece)]
    assert [(c.name, c.arguments) for c in calls(live)] == [
        (c.name, c.arguments) for c in calls(whole)
    ]


def test_a_call_that_is_cut_off_leaves_no_text_behind() -> None:
    events = told(["So. ", CALL[:-30]], cut=True)
    assert not calls(events)
    assert "".join(e.text for e in events if isinstance(e, Text)) == "So. ".rstrip()
    assert SEARCHED.startswith(arguments(events, "call_0"))


def test_text_between_tags_is_told_while_it_grows() -> None:
    events = told(list(WRITTEN))
    pieces = [e.arguments for e in events if isinstance(e, CallPiece)]
    assert len(pieces) > 10
    assert json.loads("".join(pieces)) == {"line": 7, "text": 'a "b"\n\n < c </ d'}
