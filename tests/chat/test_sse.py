from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.remote.sse import MAX_EVENT_BYTES, SseReader
from edge_agent.errors import EngineError

STREAM = (
    b'\xef\xbb\xbf: hello\r\n\r\nevent: x\r\nid: 1\r\ndata: {"a": "h\xc3\xa9"}\r\n\r\n'
    b"data:no space\ndata:  two\n\n: still here\n\n\n\ndata: old\rdata: mac\r\rdata: [DONE]\n\n"
)
EVENTS = ['{"a": "hé"}', "no space\n two", "old\nmac", "[DONE]"]


def read(*pieces: bytes) -> list[str]:
    reader = SseReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.flush()


def test_the_events_are_the_same_for_every_split() -> None:
    assert read(STREAM) == EVENTS
    assert read(*(bytes([byte]) for byte in STREAM)) == EVENTS
    for at in range(len(STREAM)):
        assert read(STREAM[:at], STREAM[at:]) == EVENTS


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)))
def test_what_is_written_is_read(lines: list[str]) -> None:
    data = b"".join(b"data: %s\n\n" % line.encode() for line in lines)
    assert read(data) == lines


def test_an_event_without_its_last_line_counts() -> None:
    assert read(b"data: a\n\ndata: b") == ["a", "b"]
    assert read(b"data: a\r\n\r\ndata: b\r") == ["a", "b"]
    assert read(b"", b"\xef") == []


def test_an_endless_event_is_refused() -> None:
    reader = SseReader()
    with pytest.raises(EngineError, match="16 MiB"):
        for _ in range(MAX_EVENT_BYTES // 2**20 + 1):
            reader.feed(b"x" * 2**20)
