"""A chat over a server that is not ours: what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Done,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from edge_agent.chat.remote.reply import Reading, ReplyReader
from edge_agent.chat.remote.sse import SseReader
from edge_agent.engine.params import Usage
from tests.patience import until

from .backend import USAGE, Says, chunk, stream
from .fakes import TOOLS
from .talk import ASKED, CALLED, talk

REPLY = stream(
    {"reasoning_content": "Hm, "},
    {"reasoning": "é."},
    {"content": "I loök"},
    {"content": " there."},
    *({"tool_calls": [part]} for part in CALLED),
    reason="tool_calls",
)


def reading(request: ChatRequest, mend: Any = None) -> Reading:
    return Reading(
        "http://h/v1", "m", request, request.tools, mend, 9, len, make_id=lambda: "call_new"
    )


def fold(data: bytes, request: ChatRequest, at: int) -> tuple[str, str, list[ToolCall], Done]:
    sse, reader = SseReader(), ReplyReader(reading(request))
    pieces = [piece for part in (data[:at], data[at:]) for piece in sse.feed(part)]
    events = [event for piece in pieces + sse.flush() for event in reader.feed(piece)]
    events += reader.end()
    done = events[-1]
    assert isinstance(done, Done)
    return (
        "".join(e.text for e in events if isinstance(e, Text)),
        "".join(e.text for e in events if isinstance(e, Thought)),
        [e for e in events if isinstance(e, ToolCall)],
        done,
    )


def test_a_reply_is_the_same_for_every_split() -> None:
    data = b"".join(piece for piece in REPLY.pieces if isinstance(piece, bytes))
    for at in range(len(data)):
        said, thought, calls, done = fold(data, ChatRequest(ASKED, TOOLS), at)
        assert (said, thought) == ("I loök there.", "Hm, é.")
        assert calls == [
            ToolCall("c1", "search", '{"query": ["a"]}'),
            ToolCall("c2", "fetch_url", '{"url": "u"}'),
        ]
        assert (done.reason, done.malformed, done.usage.cached_tokens) == ("tool_calls", None, 12)


async def test_the_whole_is_the_fold_of_the_stream_byte_by_byte() -> None:
    data = b"".join(piece for piece in REPLY.pieces if isinstance(piece, bytes))
    async with talk(Says([bytes([byte]) for byte in data])) as here:
        whole = await here.whole(ChatRequest(ASKED, TOOLS))
        assert (whole.thought, whole.text) == ("Hm, é.", "I loök there.")
        assert [call.name for call in whole.tool_calls] == ["search", "fetch_url"]
        usage = whole.done.usage
        counts = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
        assert counts == (20, 12, 3)
        assert here.backend.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    ("deltas", "called", "malformed"),
    [
        # written into the text by a model whose server knows no calls
        ([{"content": '<tool_call>\n{"name": "search", "argu'}, {"content": 'ments": {"q": "a"}}'}],
         ToolCall("call_new", "search", '{"query": ["a"]}'), ""),
        # arguments as an object, no id and no index
        ([{"tool_calls": [{"function": {"name": "visit", "arguments": {"link": "u"}}}]}],
         ToolCall("call_new", "fetch_url", '{"url": "u"}'), ""),
        ([{"tool_calls": [{"index": 0, "function": {"name": "fly", "arguments": "{}"}}]}],
         None, "There is no tool named 'fly'"),
        ([{"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}],
         None, "There is no tool named ''"),
    ],
)  # fmt: skip
async def test_calls_are_mended_or_told(
    deltas: list[dict[str, Any]], called: ToolCall | None, malformed: str
) -> None:
    async with talk(stream(*deltas)) as here:
        whole = await here.whole(ChatRequest(ASKED, TOOLS))
        assert whole.tool_calls == ((called,) if called else ())
        assert malformed in (whole.done.malformed or "")
        assert whole.done.reason == ("tool_calls" if called else "stop")


async def test_a_cut_call_is_not_run() -> None:
    part = {"index": 0, "id": "c", "function": {"name": "search", "arguments": '{"query": ["a'}}
    async with talk(stream({"tool_calls": [part]}, reason="length")) as here:
        whole = await here.whole(ChatRequest(ASKED, TOOLS))
        assert (whole.tool_calls, whole.done.reason) == ((), "length")
        assert "cut off" in (whole.done.malformed or "")


async def test_a_server_that_does_not_stream_is_understood() -> None:
    message = {"role": "assistant", "content": "Ada.", "reasoning_content": "Hm."}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    async with talk(Says([json.dumps(whole).encode()], kind="application/json")) as here:
        answer = await here.whole(ChatRequest(ASKED))
        assert (answer.text, answer.thought, answer.done.reason) == ("Ada.", "Hm.", "stop")
        assert answer.done.usage.prompt_tokens == 20


async def test_a_stop_string_that_the_server_lets_through_ends_the_answer() -> None:
    endless = Says([chunk({"content": "One. ST"}), chunk({"content": "OP two"}), 30.0])
    async with talk(endless) as here:
        whole = await here.whole(ChatRequest(ASKED, stop=("STOP",)))
        assert (whole.text, whole.done.reason) == ("One. ", "stop")
        assert here.backend.bodies[0]["stop"] == ["STOP"]


async def test_continuations_are_told_apart_and_counted_together() -> None:
    pieces = [chunk({"content": word}, None, i) for word in ("a", "b") for i in (1, 0)]
    ends = [chunk({}, "stop", 0), chunk({}, "length", 1), chunk(usage=USAGE)]
    async with talk(Says([*pieces, *ends, b"data: [DONE]\n\n"])) as here:
        events = await here.events(ChatRequest(ASKED, n=2))
        texts = [e for e in events if isinstance(e, Text)]
        assert ["".join(t.text for t in texts if t.choice == i) for i in (0, 1)] == ["ab", "ab"]
        first, second = (e for e in events if isinstance(e, Done))
        assert (first.reason, second.reason, second.choice) == ("stop", "length", 1)
        assert (first.usage.completion_tokens, second.usage) == (3, Usage())
        assert here.backend.bodies[0]["n"] == 2


async def test_log_probabilities_come_with_their_text() -> None:
    def token(word: str, logprob: float) -> dict[str, Any]:
        return {"token": word, "bytes": list(word.encode()), "logprob": logprob}

    told = {"content": [{**token("h", -1.0), "top_logprobs": [token("x", -0.5)]}, token("é", -2.0)]}
    piece = {"choices": [{"index": 0, "delta": {"content": "hé"}, "logprobs": told}]}
    data = b"data: " + json.dumps(piece).encode() + b"\n\n"
    async with talk(Says([data, chunk({}, "stop")])) as here:
        events = await here.events(ChatRequest(ASKED, n_logprobs=1))
        (said,) = (e for e in events if isinstance(e, Text))
        likeliest = TokenLogprob(b"x", -0.5)
        assert said.logprobs == (
            TokenLogprob(b"h", -1.0, (likeliest,)),
            TokenLogprob("é".encode(), -2.0),
        )
        assert here.backend.bodies[0]["top_logprobs"] == 1


async def test_closing_a_stream_closes_the_response() -> None:
    async with talk(Says([chunk({"content": "One"}), *[chunk({"content": "."}), 0.05] * 400])) as a:
        events = a.chat.stream(a.chat.prepare(ChatRequest(ASKED)))
        assert await events.__anext__() == Text("One")
        assert a.backend.open == 1
        await events.aclose()
        await until(lambda: not a.backend.open)
        assert (a.backend.open, a.backend.cut) == (0, 1)


async def test_log_probabilities_of_a_call_come_with_the_call() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "search", "arguments": ""}}
    pieces = ['{"query"', ': ["a"]}']
    parts = [call, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    told = [
        {"content": [{"token": part["function"]["arguments"], "logprob": -1.0}]} for part in parts
    ]
    chunks = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [part]}, "logprobs": logprobs}]}
        for part, logprobs in zip(parts, told, strict=True)
    ]
    data = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks]
    async with talk(Says([*data, chunk({}, "tool_calls")])) as here:
        events = await here.events(ChatRequest(ASKED, tools=TOOLS, n_logprobs=0))
        (called,) = (e for e in events if isinstance(e, ToolCall))
        assert b"".join(t.bytes for t in called.logprobs).decode() == called.arguments
