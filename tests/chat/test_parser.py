from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.messages import Text, Thought, TokenLogprob, ToolCall, ToolSpec
from edge_agent.chat.parser import Piece, StreamParser

from .fakes import FETCH, SEARCH

PYTHON = ToolSpec("PythonInterpreter", "Run code.", {"type": "object", "properties": {}})
TOOLS = {tool.name: tool for tool in (SEARCH, FETCH, PYTHON)}
QUERY = {"query": ["a"]}


def parsed(
    pieces: Sequence[str],
    tools: dict[str, ToolSpec] = TOOLS,
    opens_thought: bool = False,
    stop: Sequence[str] = (),
    cut: bool = False,
) -> tuple[list[Piece], str | None]:
    """Merged events, and what was malformed."""
    ids = (f"call_{i}" for i in itertools.count())
    parser = StreamParser(tools, lambda: next(ids), opens_thought, stop)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.flush(cut)
    return merged(events), parser.malformed


def merged(events: Sequence[Piece]) -> list[Piece]:
    whole: list[Piece] = []
    for event in events:
        last = whole[-1] if whole else None
        if isinstance(event, Text) and isinstance(last, Text):
            whole[-1] = Text(last.text + event.text)
        elif isinstance(event, Thought) and isinstance(last, Thought):
            whole[-1] = Thought(last.text + event.text)
        else:
            whole.append(event)
    return whole


def calls(text: str) -> list[tuple[str, object]]:
    events, _ = parsed([text])
    return [(e.name, json.loads(e.arguments)) for e in events if isinstance(e, ToolCall)]


FRAGMENTS = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", "\n", " ", "```json\n", "```", "{", "}",
    '{"name": "search", "arguments": {"query": ["a"]}}', '{{"name": "search", "arguments": {}}}',
    '{"name": "search", "arguments": {"query": "</tool_call>"}}', '{"name": "nobody"}', '"', "'",
    "<function=search>", "<parameter=query>\n", "</parameter>", "</function>", "[", "]", "é", "<",
    "<tool", "_call>", "END", "EN", "STOP\n", "Hello", '"name": "search"', "<code>", "</code>",
    "\\",
    "```python\nx = {}\n```", "<answer>", "```json",
]  # fmt: skip
WRITING = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(
    WRITING,
    st.data(),
    st.booleans(),
    st.sampled_from([(), ("END",), ("EN", "STOP\n", "<tool")]),
    st.booleans(),
    st.booleans(),
)
@example('```json\n{"name": "search", "arguments": {}}```', None, False, (), True, False)
def test_parser_gives_same_events_for_every_split(
    text: str,
    data: st.DataObject | None,
    opens_thought: bool,
    stop: tuple[str, ...],
    with_tools: bool,
    cut: bool,
) -> None:
    tools = TOOLS if with_tools else {}
    whole = parsed([text], tools, opens_thought, stop, cut)
    by_character = parsed(list(text), tools, opens_thought, stop, cut)
    assert by_character == whole
    if data is not None:
        at = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
        pieces = [text[a:b] for a, b in itertools.pairwise([0, *at, len(text)])]
        assert parsed(pieces, tools, opens_thought, stop, cut) == whole


@settings(deadline=None)
@given(WRITING, st.lists(st.integers(1, 9), min_size=1, max_size=8), st.booleans())
def test_texts_and_calls_are_told_with_what_was_written_there(
    text: str, sizes: list[int], opens_thought: bool
) -> None:
    def note(start: int, end: int) -> tuple[TokenLogprob, ...]:
        return (TokenLogprob(text[start:end].encode(), 0.0),)

    parser = StreamParser(TOOLS, lambda: "call", opens_thought, ["END"], note)
    events: list[Piece] = []
    at, turns = 0, itertools.cycle(sizes)
    while at < len(text):
        size = next(turns)
        events += parser.feed(text[at : at + size])
        at += size
    events += parser.flush()
    for event in events:
        if isinstance(event, Text):
            assert [token.bytes.decode() for token in event.logprobs] == [event.text]
        elif isinstance(event, ToolCall) and event.logprobs:
            (written,) = (token.bytes.decode() for token in event.logprobs)
            assert written in text and event.name in written
            assert written.startswith(("<tool_call>", "<function=", "```", "{", "["))


@given(st.text())
def test_text_without_marks_comes_out_unchanged(text: str) -> None:
    events, malformed = parsed(list(text), tools={})
    if not text.lstrip().startswith("<think>"):
        assert "".join(e.text for e in events if isinstance(e, Text)) == text
    assert malformed is None


@given(WRITING)
def test_nothing_visible_is_lost(text: str) -> None:
    """Without a call and a thought, every character comes out, in order."""
    events, _ = parsed([text])
    if all(isinstance(e, Text) for e in events) and "<think>" not in text:
        assert "".join(e.text for e in events if isinstance(e, Text)) == text


CALL = '{"name": "search", "arguments": {"query": ["a"]}}'
DOUBLED = '{{"name": "search", "arguments": {"query": ["a"]}}}'
ALL_DOUBLED = '{{"name": "search", "arguments": {{"query": ["a"]}}}}'
XML = "<function=search>\n<parameter=query>\na\n</parameter>\n</function>"


def marked(body: str) -> str:
    return f"<tool_call>\n{body}\n</tool_call>"


WAYS = {
    "hermes": marked(CALL),
    "unclosed": f"<tool_call>{CALL}",
    "brace missing": marked(CALL[:-1]),
    "doubled braces": marked(DOUBLED),
    "all braces doubled": marked(ALL_DOUBLED),
    "fenced": f"```json\n{CALL}\n```",
    "plain fence": f"```\n{CALL}\n```",
    "fenced, doubled, after text": f"Sure:\n```json\n{DOUBLED}\n```",
    "fence in markers": marked(f"```json\n{CALL}\n```"),
    "markers in fence": f"```\n{marked(CALL)}\n```",
    "bare": CALL,
    "bare, doubled": DOUBLED,
    "bare list": f"[{CALL}]",
    "parameters": CALL.replace("arguments", "parameters"),
    "openai shape": f'{{"type": "function", "function": {CALL}}}',
    "other keys": CALL.replace("name", "tool").replace("arguments", "args"),
    "name as key": '{"search": {"query": ["a"]}}',
    "flat": '{"name": "search", "query": ["a"]}',
    "xml": marked(XML),
    "xml bare": XML,
    "xml with json": XML.replace("\na\n", '\n["a"]\n'),
    "arguments as a string": marked(r'{"name": "search", "arguments": "{\"query\": [\"a\"]}"}'),
    "the one argument itself": marked('{"name": "search", "arguments": "a"}'),
    "string for a list": marked(CALL.replace('["a"]', '"a"')),
    "plural key": marked(CALL.replace("query", "queries")),
    "trailing commas, capital": marked(CALL.replace("search", "Search").replace("]", "],")),
    "single quotes": marked(CALL.replace('"', "'")),
    "no quotes": marked(CALL.replace('"', "")),
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS.keys())
def test_every_way_to_write_a_call_is_understood(text: str) -> None:
    assert calls(text) == [("search", QUERY)]


def test_another_familys_names_are_understood() -> None:
    text = '<tool_call>{"name": "visit", "arguments": {"url": ["u"], "goal": "g"}}</tool_call>'
    assert calls(text) == [("fetch_url", {"url": "u", "purpose": "g"})]


def test_code_in_a_call_becomes_its_argument() -> None:
    text = (
        '<tool_call>\n{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint("a")\nx = "\n'
        "</code>\n</tool_call>"
    )
    assert calls(text) == [("PythonInterpreter", {"code": 'print("a")\nx = "'})]


def test_several_calls_in_one_turn_keep_their_order() -> None:
    one = '<tool_call>\n{"name": "search", "arguments": {"query": ["a"]}}\n</tool_call>'
    two = one.replace("search", "fetch_url").replace('"query": ["a"]', '"url": "u"')
    events, _ = parsed([f"I look.\n{one}\n{two}\n"])
    assert events[0] == Text("I look.")
    assert [(e.id, e.name) for e in events[1:] if isinstance(e, ToolCall)] == [
        ("call_0", "search"),
        ("call_1", "fetch_url"),
    ]
    assert len(events) == 3


def test_a_closing_marker_inside_a_string_does_not_end_the_call() -> None:
    text = '<tool_call>{"name": "search", "arguments": {"query": ["</tool_call>"]}}</tool_call>'
    assert calls(text) == [("search", {"query": ["</tool_call>"]})]


def test_a_call_that_cannot_be_read_is_kept_as_text_and_reported() -> None:
    events, malformed = parsed(["<tool_call>\nplease search\n</tool_call>"])
    assert events == [Text("<tool_call>\nplease search\n</tool_call>")]
    assert malformed is not None
    assert "please search" in malformed


def test_a_call_of_an_unknown_tool_is_no_call_and_the_tools_are_named() -> None:
    events, malformed = parsed(['<tool_call>{"name": "fly", "arguments": {}}</tool_call>'])
    assert all(isinstance(e, Text) for e in events)
    assert malformed is not None
    assert "fly" in malformed
    assert "fetch_url" in malformed


def test_a_call_after_one_that_cannot_be_read_is_still_understood() -> None:
    text = '<tool_call>nonsense\n<tool_call>{"name": "search", "arguments": {"query": ["a"]}}'
    assert calls(text + "</tool_call>") == [("search", QUERY)]


def test_an_unfinished_call_that_was_cut_off_is_not_run() -> None:
    text = '<tool_call>\n{"name": "fetch_url", "arguments": {"url": "http://example.org/a'
    events, malformed = parsed([text], cut=True)
    assert all(isinstance(e, Text) for e in events)
    assert malformed is not None


def test_without_tools_calls_are_text() -> None:
    text = '<tool_call>{"name": "search", "arguments": {}}</tool_call>'
    assert parsed([text], tools={}) == ([Text(text)], None)


@pytest.mark.parametrize(
    "text", ['{"name": "Ada", "age": 3}', "```json\n[1, 2]\n```", "{x} or {y}"]
)
def test_json_that_is_no_call_is_text(text: str) -> None:
    assert parsed([text]) == ([Text(text)], None)


def test_thought_is_told_from_text_and_blanks_between_are_dropped() -> None:
    assert parsed(["<think>\nHm.\n</think>\n\nYes."])[0] == [Thought("Hm."), Text("Yes.")]
    assert parsed(["Hm.\n</think>\n\nYes."], opens_thought=True)[0] == [
        Thought("Hm."),
        Text("Yes."),
    ]


def test_a_call_inside_a_thought_is_not_run() -> None:
    thought = '<think>maybe <tool_call>{"name": "search", "arguments": {}}</tool_call></think>ok'
    assert [type(e) for e in parsed([thought])[0]] == [Thought, Text]


def test_an_answer_tag_is_left_alone() -> None:
    assert parsed(["<answer>42</answer>"])[0] == [Text("<answer>42</answer>")]


def test_a_stop_string_ends_the_text_and_is_not_part_of_it() -> None:
    parser = StreamParser({}, str, stop=["END"])
    assert merged(parser.feed("One. E") + parser.feed("ND two.")) == [Text("One. ")]
    assert parser.stopped
    assert parser.feed("more") + parser.flush() == []


def test_stop_strings_do_not_apply_inside_thoughts() -> None:
    events, _ = parsed(["a END b</think>c END d"], opens_thought=True, stop=["END"])
    assert events == [Thought("a END b"), Text("c ")]


def test_text_is_not_held_back_without_need() -> None:
    parser = StreamParser(TOOLS, str)
    assert parser.feed("Hello wor") == [Text("Hello wor")]
    assert parser.feed("ld <") == [Text("ld")]
    assert parser.feed("b") == [Text(" <b")]


@given(st.text(), st.integers(1, 4))
def test_detokenizer_never_gives_half_a_character(text: str, size: int) -> None:
    data = text.encode("utf-8", "replace")
    machine = Detokenizer()
    pieces = [machine.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert "".join(pieces) + machine.flush() == data.decode()


def test_detokenizer_ends_with_a_replacement_when_cut_inside_a_character() -> None:
    machine = Detokenizer()
    assert machine.feed("é".encode()[:1]) == ""
    assert machine.flush() == "\ufffd"
