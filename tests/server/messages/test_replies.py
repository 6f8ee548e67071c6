"""Anthropic's events: in order, numbered, and the same when folded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.messages import CallPiece, Done, Event, Progress, Text, Thought, ToolCall
from edge_agent.engine.params import Usage
from edge_agent.errors import EngineError
from edge_agent.server.messages.replies import EventMachine, Head, message

USED = Usage(prompt_tokens=20, cached_tokens=5, completion_tokens=4)
HEAD = Head("m", n_prompt=20, id="msg_1")
BEGUN = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
LONG = '{"town": "' + "O" * 200 + '"}'


def told(*events: Event, shows_thoughts: bool = True) -> list[dict[str, Any]]:
    machine = EventMachine(HEAD, shows_thoughts)
    return [reply for event in events for reply in machine.feed(event)]


def kinds(*events: Event) -> list[str]:
    return [reply["type"] for reply in told(*events)]


async def played(events: Sequence[Event]) -> AsyncGenerator[Event, None]:
    for event in events:
        yield event


async def whole(*events: Event, shows_thoughts: bool = True) -> dict[str, Any]:
    return await message(played(events), EventMachine(HEAD, shows_thoughts))


def test_a_text_is_one_block_between_the_messages_events() -> None:
    assert kinds(Text("Hel"), Text("lo"), Done("stop", USED)) == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_message_starts_with_no_content_and_the_length_of_its_prompt() -> None:
    start = told(Text("x"))[0]["message"]
    assert (start["id"], start["type"], start["role"]) == ("msg_1", "message", "assistant")
    assert start["content"] == [] and start["stop_reason"] is None
    assert start["usage"]["input_tokens"] == 20 and start["usage"]["output_tokens"] == 0


def test_the_first_sign_of_life_starts_the_message_with_what_was_cached() -> None:
    start, ping = told(Progress(5, Usage(prompt_tokens=20, cached_tokens=5)))
    assert start["message"]["usage"]["input_tokens"] == 15
    assert start["message"]["usage"]["cache_read_input_tokens"] == 5
    assert ping == {"type": "ping"}


async def test_what_was_cached_does_not_count_as_input() -> None:
    usage = (await whole(Text("x"), Done("stop", USED, thought_tokens=2)))["usage"]
    assert usage == {
        "input_tokens": 15,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 5,
        "output_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 2},
    }


@pytest.mark.parametrize(
    ("done", "reason", "stop"),
    [
        (Done("stop", USED), "end_turn", None),
        (Done("length", USED), "max_tokens", None),
        (Done("stop", USED, stop="END"), "stop_sequence", "END"),
        (Done("tool_calls", USED), "tool_use", None),
        (Done("tool_calls", USED, stop="END"), "tool_use", None),
    ],
)
async def test_the_stop_reason_is_anthropics(done: Done, reason: str, stop: str | None) -> None:
    answer = await whole(Text("x"), done)
    assert (answer["stop_reason"], answer["stop_sequence"]) == (reason, stop)


async def test_thoughts_are_signed_blocks_of_their_own() -> None:
    events = (Thought("Look"), Thought(" up"), Text("So"), Done("stop", USED))
    assert (await whole(*events))["content"] == [
        {"type": "thinking", "thinking": "Look up", "signature": ""},
        {"type": "text", "text": "So"},
    ]
    deltas = [r["delta"]["type"] for r in told(*events) if r["type"] == "content_block_delta"]
    assert deltas == ["thinking_delta", "thinking_delta", "signature_delta", "text_delta"]


async def test_omitted_thoughts_leave_an_empty_block() -> None:
    answer = await whole(Thought("Look"), Text("So"), Done("stop", USED), shows_thoughts=False)
    assert answer["content"][0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert answer["content"][1]["text"] == "So"


async def test_a_call_comes_in_pieces_of_its_json() -> None:
    events = (ToolCall("c1", "weather", LONG), Done("tool_calls", USED))
    start, *pieces = [r for r in told(*events) if r["type"].startswith("content_block_")][:-1]
    assert start["content_block"] == {
        "type": "tool_use",
        "id": "c1",
        "name": "weather",
        "input": {},
    }
    assert len(pieces) > 1
    assert "".join(piece["delta"]["partial_json"] for piece in pieces) == LONG
    (block,) = (await whole(*events))["content"]
    assert block["input"] == {"town": "O" * 200} and "partial" not in block


def test_a_call_told_while_it_is_written_is_not_told_again() -> None:
    live = [
        CallPiece("c1", "weather"),
        CallPiece("c1", arguments='{"town"'),
        CallPiece("c1", "", ": 1}"),
    ]
    replies = told(*live, ToolCall("c1", "weather", '{"town": 1}'), Done("tool_calls", USED))
    deltas = [r["delta"]["partial_json"] for r in replies if r["type"] == "content_block_delta"]
    assert deltas == ['{"town"', ": 1}"]
    assert sum(r["type"] == "content_block_start" for r in replies) == 1


async def test_a_call_that_was_cut_off_has_no_input() -> None:
    events = (CallPiece("c1", "weather"), CallPiece("c1", "", '{"to'), Done("length", USED))
    answer = await whole(*events)
    assert answer["content"] == [BEGUN]
    assert answer["stop_reason"] == "max_tokens"


async def test_a_message_of_nothing_has_an_empty_text() -> None:
    assert (await whole(Done("stop", USED)))["content"] == [{"type": "text", "text": ""}]


async def test_an_end_without_a_reason_is_an_error() -> None:
    with pytest.raises(EngineError, match="without saying why"):
        await whole(Text("x"))


EVENTS = st.lists(
    st.one_of(
        st.builds(Text, st.text(max_size=5)),
        st.builds(Thought, st.text(max_size=5)),
        st.builds(ToolCall, st.uuids().map(str), st.just("f"), st.just('{"a": 1}')),
        st.just(Progress(1, USED)),
    )
)


@given(EVENTS)
def test_blocks_are_numbered_and_never_overlap(events: list[Event]) -> None:
    replies = told(*events, Done("stop", USED))
    open_index, next_index = None, 0
    for reply in replies:
        if reply["type"] == "content_block_start":
            assert open_index is None and reply["index"] == next_index
            open_index, next_index = next_index, next_index + 1
        elif reply["type"] == "content_block_delta":
            assert reply["index"] == open_index
        elif reply["type"] == "content_block_stop":
            assert reply["index"] == open_index
            open_index = None
    assert open_index is None and next_index >= 1
    assert [r["type"] for r in replies].count("message_start") == 1
    assert replies[-1] == {"type": "message_stop"}
