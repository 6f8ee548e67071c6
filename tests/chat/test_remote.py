"""A chat over a server that is not ours: what goes over the wire, and all that can go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Event,
    Grammar,
    Message,
    NamedTool,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from edge_agent.chat.remote.chat import RemoteChat
from edge_agent.chat.remote.faults import error_of, fault_of
from edge_agent.chat.remote.link import Link, Patience
from edge_agent.chat.remote.probe import About, probe
from edge_agent.chat.remote.reply import Reading, ReplyReader
from edge_agent.chat.remote.sse import SseReader
from edge_agent.chat.remote.terms import Kind, terms_for
from edge_agent.chat.remote.watch import Watch
from edge_agent.chat.remote.wire import body_of
from edge_agent.engine.params import SamplingParams, Usage
from edge_agent.errors import (
    ConfigError,
    ContextOverflow,
    EdgeAgentError,
    EngineBusy,
    EngineCrashed,
    EngineError,
    GrammarError,
    NotFound,
    NotSupported,
    RequestError,
)

from .backend import USAGE, Backend, Says, chunk, refusal, running, stream, text
from .fakes import FETCH, SEARCH, TOOLS

ASKED = (Message("user", "Who?"),)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}},
    "required": ["name"],
    "additionalProperties": False,
}
PLAIN = SamplingParams(temperature=0.5)
QUICK = Patience(connect_s=2, first_byte_s=0.4, between_s=0.4, short_s=2, busy_s=30)


@dataclass
class Talk:
    """A chat with a scripted backend; `said` are the lines for the person, `slept` the waits."""

    chat: RemoteChat
    link: Link
    backend: Backend
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def whole(self, request: ChatRequest) -> Completion:
        return await self.chat.complete(self.chat.prepare(request))

    async def events(self, request: ChatRequest) -> list[Event]:
        return [event async for event in self.chat.stream(self.chat.prepare(request))]


Talks = Callable[..., Any]


@asynccontextmanager
async def talk(*script: Says, patience: Patience = QUICK, **more: Any) -> AsyncIterator[Talk]:
    with running(Backend(list(script), **more)) as backend:
        said: list[str] = []
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        link = Link(backend.url, "secret", patience, sleep)
        about = await probe(link)
        window = about.n_ctx or 1000
        chat = RemoteChat(link, about, window, PLAIN, said.append, make_id=lambda: "call_new")
        try:
            yield Talk(chat, link, backend, said, slept)
        finally:
            await link.aclose()


# what comes back

CALLED = [
    {"index": 0, "id": "c1", "function": {"name": "search", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"query": '}},
    {"index": 1, "id": "c2", "function": {"name": "fetch_url", "arguments": '{"url": "u"}'}},
    {"index": 0, "function": {"arguments": '["a"]}'}},
]
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
        for _ in range(100):
            if not a.backend.open:
                break
            await asyncio.sleep(0.02)
        assert (a.backend.open, a.backend.cut) == (0, 1)


# what goes wrong

BEGUN = chunk({"content": "One"})
LOST = ConnectionError("cut")


@pytest.mark.parametrize(
    ("says", "error", "sentence"),
    [
        (refusal("bad key", 401), EngineError, "--backend-key-env"),
        (refusal("no", 403), EngineError, "refuses the API key"),
        (refusal("The model `m` does not exist.", 404), NotFound, "--backend-model"),
        (refusal("messages: too rude"), RequestError, "refuses the request: messages: too rude"),
        (refusal("not here", 501), NotSupported, "not here"),
        (refusal("boom", 500), EngineError, "failed with status 500. It said: boom"),
        (Says([b"<h1>Bad gateway</h1>"], 502, "text/html"), EngineError, "Bad gateway"),
        (Says([b""], 307, headers={"location": "/x"}), EngineError, "elsewhere, at /x"),
        (Says([b"<h1>Hello</h1>"], kind="text/html"), EngineError, "base URL"),
        (Says([b"data: {nonsense\n\n"]), EngineError, "not JSON: {nonsense"),
        (Says([b"data: 7\n\n"]), EngineError, "not JSON: 7"),
        (Says([BEGUN, b'data: {"error": {"message": "out of memory"}}\n\n']), EngineError,
         "out of memory"),
        (Says([BEGUN, b'data: {"object": "error", "message": "gone", "code": 503}\n\n']),
         EngineCrashed, "gone"),
        (Says([BEGUN, LOST]), EngineCrashed, "lost in the middle"),
        (Says([BEGUN]), EngineCrashed, "lost in the middle"),
        (Says([30.0]), EngineCrashed, "nothing for 0.4 seconds|nothing back in time"),
        (Says([BEGUN, 30.0]), EngineCrashed, "nothing for 0.4 seconds"),
    ],
)  # fmt: skip
async def test_every_failure_is_one_of_ours_in_one_sentence(
    says: Says, error: type[EdgeAgentError], sentence: str
) -> None:
    async with talk(says) as here:
        with pytest.raises(error, match=sentence) as caught:
            await here.whole(ChatRequest(ASKED))
        assert type(caught.value) is error
        assert "secret" not in str(caught.value)
        assert len(here.backend.bodies) == 1


async def test_nobody_there_is_one_sentence() -> None:
    with running(Backend([text("a")])) as backend:
        url = backend.url
    link = Link(url)
    with pytest.raises(EngineCrashed, match=r"cannot be reached.*start it, or correct --backend"):
        await probe(link)
    await link.aclose()


async def test_a_busy_server_is_asked_again_and_not_for_ever() -> None:
    busy = Says([b"{}"], 429, "application/json", {"retry-after": "7"})
    async with talk(busy, refusal("later", 503), text("Ada.")) as here:
        assert (await here.whole(ChatRequest(ASKED))).text == "Ada."
        assert here.slept == [7.0, 1.0]
    async with talk(busy) as here:
        with pytest.raises(EngineBusy) as caught:
            await here.whole(ChatRequest(ASKED))
        assert caught.value.retry_after_s == 7.0
        assert sum(here.slept) <= QUICK.busy_s
    async with talk(refusal("Pay first.", 429, code="insufficient_quota")) as here:
        with pytest.raises(EngineBusy, match="Pay first"):
            await here.whole(ChatRequest(ASKED))
        assert here.slept == []


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5200 tokens "
         "(5000 in the messages, 200 in the completion). Please reduce the length.", {}),
        ("This model's maximum context length is 4096 tokens. However, your messages resulted in "
         "5000 tokens.", {"code": "context_length_exceeded"}),
        ("'max_tokens' or 'max_completion_tokens' is too large: 200. This model's maximum context "
         "length is 4096 tokens and your request has 5000 input tokens (200 > 4096 - 5000).", {}),
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", {}),
        ("The prompt has 5000 tokens but the context window holds 4096: shorten it.", {}),
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try more", {}),
        ("too long", {"n_prompt_tokens": 5000, "n_ctx": 4096}),
    ],
)  # fmt: skip
def test_an_overflow_is_understood_from_everybody(message: str, more: dict[str, Any]) -> None:
    body = json.dumps({"error": {"message": message, **more}})
    error = error_of(fault_of(400, body), "http://h/v1", "m")
    assert isinstance(error, ContextOverflow), error
    assert (error.n_prompt_tokens, error.n_ctx) == (5000, 4096)


async def test_a_limit_that_does_not_fit_behind_the_prompt_is_lowered() -> None:
    tight = refusal(
        "This model's maximum context length is 1000 tokens. However, you requested 1100 tokens "
        "(900 in the messages, 200 in the completion)."
    )
    async with talk(tight, text("Ada.")) as here:
        assert (await here.whole(ChatRequest(ASKED, max_tokens=200))).text == "Ada."
        assert [body["max_tokens"] for body in here.backend.bodies] == [200, 100]
        assert here.said == []


async def test_a_prompt_that_is_too_long_is_the_servers_to_refuse() -> None:
    full = refusal("no", n_prompt_tokens=1200, n_ctx=1000)
    async with talk(full) as here:
        with pytest.raises(ContextOverflow):
            await here.whole(ChatRequest((Message("user", "word " * 900),), max_tokens=5))
        assert len(here.backend.bodies) == 1


# what a server does not do


async def test_a_schema_is_asked_for_in_fewer_and_fewer_ways() -> None:
    fenced = text('Here:\n```json\n{"name": "Adalbertina", "age": 3}\n```')
    script = (
        refusal("response_format.type: 'json_schema' is not one of ['text', 'json_object']"),
        refusal("Unsupported field: response_format"),
        fenced,
    )
    async with talk(*script) as here:
        asked = ChatRequest(ASKED, response_schema=SCHEMA)
        for _ in range(2):
            whole = await here.whole(asked)
            assert json.loads(whole.text) == {"name": "Adalberti"}
        kinds = [body.get("response_format", {}).get("type") for body in here.backend.bodies]
        assert kinds == ["json_schema", "json_object", None, None]
        system = here.backend.bodies[-1]["messages"][0]
        assert system["role"] == "system" and '"maxLength": 9' in system["content"]
        assert len(here.said) == 2


async def test_a_schema_that_was_accepted_and_ignored_is_asked_for_in_words_from_then_on() -> None:
    async with talk(text("Her name is Ada."), text('{"name": "Ada"}')) as here:
        asked = ChatRequest(ASKED, response_schema=SCHEMA)
        assert (await here.whole(asked)).text == "Her name is Ada."
        assert (await here.whole(asked)).text == '{"name": "Ada"}'
        assert "response_format" not in here.backend.bodies[1]
        assert len(here.said) == 1 and "does not hold the model" in here.said[0]


async def test_tools_that_a_server_does_not_take_are_described() -> None:
    no = refusal('"auto" tool choice requires --enable-auto-tool-choice to be set')
    called = text('<tool_call>{"name": "search", "arguments": {"query": "a"}}</tool_call>')
    async with talk(no, called) as here:
        whole = await here.whole(ChatRequest(ASKED, TOOLS))
        assert [call.name for call in whole.tool_calls] == ["search"]
        told = here.backend.bodies[1]
        assert "tools" not in told and "Find pages." in told["messages"][0]["content"]
        history = (*ASKED, Message("assistant", "", None, whole.tool_calls),
                   Message("tool", "Found.", tool_call_id="call_new"))  # fmt: skip
        await here.whole(ChatRequest(history, TOOLS))
        roles = [message["role"] for message in here.backend.bodies[2]["messages"]]
        assert roles == ["system", "user", "assistant", "user"]


async def test_a_required_call_that_does_not_come_is_drawn_by_a_schema() -> None:
    called = text('{"name": "search", "arguments": {"query": ["a"]}}')
    async with talk(text("I would rather talk."), called) as here:
        asked = ChatRequest(ASKED, TOOLS, "required")
        assert (await here.whole(asked)).tool_calls == ()
        assert [c.name for c in (await here.whole(asked)).tool_calls] == ["search"]
        schema = here.backend.bodies[1]["response_format"]["json_schema"]["schema"]
        assert [each["properties"]["name"] for each in schema["anyOf"]] == [
            {"const": "search"},
            {"const": "fetch_url"},
        ]
        assert len(here.said) == 1


async def test_a_named_tool_is_the_only_one_where_it_cannot_be_named() -> None:
    no = refusal("tool_choice must be a string", param="tool_choice")
    async with talk(no, stream({"tool_calls": CALLED[2:3]}, reason="tool_calls")) as here:
        whole = await here.whole(ChatRequest(ASKED, TOOLS, NamedTool("fetch_url")))
        assert [call.name for call in whole.tool_calls] == ["fetch_url"]
        first, second = here.backend.bodies
        assert first["tool_choice"]["function"] == {"name": "fetch_url"}
        assert second["tool_choice"] == "required"
        assert [tool["function"]["name"] for tool in second["tools"]] == ["fetch_url"]


async def test_fields_nobody_knows_are_left_out_for_good_and_told_once() -> None:
    script = (
        refusal("Unrecognized request argument supplied: top_k"),
        Says([b'{"detail":[{"type":"extra_forbidden","loc":["body","min_p"]}]}'], 422,
             "application/json"),
        refusal("'max_tokens' is not supported with this model. Use 'max_completion_tokens'."),
        refusal("no such field here", param="stream_options"),
        refusal("messages.1.reasoning_content: Extra inputs are not permitted"),
        text("Ada."),
    )  # fmt: skip
    async with talk(*script) as here:
        talked = (*ASKED, Message("assistant", "Ada", "Hm."), Message("user", "Sure?"))
        sampling = SamplingParams(top_k=5, min_p=0.1)
        asked = ChatRequest(talked, sampling=sampling, max_tokens=9)
        assert (await here.whole(asked)).text == "Ada."
        await here.whole(asked)
        for body in here.backend.bodies[-2:]:
            assert body["max_completion_tokens"] == 9
            assert not {"top_k", "min_p", "max_tokens", "stream_options"} & set(body)
            assert "reasoning_content" not in body["messages"][1]
        assert [line.split("'")[1] for line in here.said] == [
            "top_k", "min_p", "stream_options", "reasoning_content",
        ]  # fmt: skip


async def test_a_value_out_of_range_is_not_a_missing_feature() -> None:
    async with talk(refusal("temperature must be between 0 and 2, got 5")) as here:
        with pytest.raises(RequestError, match="between 0 and 2"):
            await here.whole(ChatRequest(ASKED, sampling=SamplingParams(temperature=5)))
        assert here.said == []


async def test_what_no_server_can_honour_is_refused_before_it_is_sent() -> None:
    async with talk(text("a")) as here:
        for wrong, error in (
            (ChatRequest(()), RequestError),
            (ChatRequest(ASKED, response_schema={"type": "x"}), GrammarError),
            (ChatRequest(ASKED, TOOLS, NamedTool("fly")), RequestError),
            (ChatRequest(ASKED, TOOLS, "required", prefill="Well"), RequestError),
        ):
            with pytest.raises(error):
                here.chat.prepare(wrong)
        with pytest.raises(NotSupported, match="grammar of kind regex"):
            await here.whole(ChatRequest(ASKED, grammar=Grammar("regex", "a+")))
        with pytest.raises(NotSupported):
            await here.chat.stop_thinking("x")
        assert here.backend.bodies == []


# what is sent


def body(request: ChatRequest, kind: Kind = "other") -> dict[str, Any]:
    return body_of(request, terms_for(kind), "m", request.sampling or PLAIN, request.max_tokens)


def test_a_server_we_know_is_told_every_setting_and_another_only_what_is_set() -> None:
    assert {"temperature": 0.5, "top_p": 1.0}.items() <= body(ChatRequest(ASKED)).items()
    assert not {"top_k", "min_p", "seed", "tools", "stop"} & set(body(ChatRequest(ASKED)))
    assert body(ChatRequest(ASKED), "vllm")["top_k"] == -1
    assert body(ChatRequest(ASKED), "llama-server")["top_k"] == 0
    own = SamplingParams(repeat_penalty=1.2, dry_multiplier=0.8, penalty_last_n=9, seed=4)
    llama = body(ChatRequest(ASKED, sampling=own), "llama-server")
    assert (llama["repeat_penalty"], llama["dry_multiplier"], llama["repeat_last_n"]) == (
        1.2,
        0.8,
        9,
    )
    vllm = body(ChatRequest(ASKED, sampling=own), "vllm")
    assert (vllm["repetition_penalty"], vllm["seed"]) == (1.2, 4)
    assert "dry_multiplier" not in vllm


def test_grammars_thinking_prefill_and_tools_have_their_fields() -> None:
    gbnf, regex = Grammar("gbnf", 'root ::= "a"'), Grammar("regex", "a+")
    assert body(ChatRequest(ASKED, grammar=gbnf), "llama-server")["grammar"] == gbnf.text
    assert body(ChatRequest(ASKED, grammar=regex), "vllm")["structured_outputs"] == {"regex": "a+"}
    assert body(ChatRequest(ASKED, grammar=regex), "sglang")["regex"] == "a+"
    off = ChatRequest(ASKED, thinking_budget=0)
    assert body(off)["chat_template_kwargs"] == {"enable_thinking": False}
    budget = ChatRequest(ASKED, thinking_budget=64, thinking_close="Enough.", pin=True, priority=1)
    assert (
        body(budget, "edge-agent").items()
        >= {
            "thinking_budget_tokens": 64,
            "thinking_budget_message": "Enough.",
            "pin_prompt": True,
            "priority": "background",
        }.items()
    )
    assert not {"thinking_budget_tokens", "pin_prompt", "priority"} & set(body(budget, "vllm"))
    begun = body(ChatRequest(ASKED, prefill="It is"), "vllm")
    assert begun["messages"][-1] == {"role": "assistant", "content": "It is"}
    assert begun["continue_final_message"] is True
    named = body(ChatRequest(ASKED, TOOLS, NamedTool("search")), "llama-server")
    assert (named["tool_choice"], len(named["tools"])) == ("required", 1)
    one = ChatRequest(ASKED, TOOLS, parallel_tool_calls=False)
    assert (body(one)["tool_choice"], body(one)["parallel_tool_calls"]) == ("auto", False)


def test_a_tools_answer_to_no_call_is_a_users_message() -> None:
    call = ToolCall("c1", "search", "{}")
    messages = (
        *ASKED,
        Message("assistant", "", None, (call,)),
        Message("tool", "found", tool_call_id="c1"),
        Message("assistant", "Hm."),
        Message("tool", "write a call", tool_call_id="note"),
    )
    sent = body(ChatRequest(messages, TOOLS))["messages"]
    assert [message["role"] for message in sent] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "search", "arguments": "{}"}


async def test_a_transcript_goes_on_as_messages() -> None:
    called = stream(
        {"reasoning_content": "Hm."}, {"content": "I look."}, {"tool_calls": CALLED[2:3]}
    )
    async with talk(called, text("Ada.")) as here:
        prompt = here.chat.prepare(ChatRequest(ASKED, (FETCH,)))
        first = await here.chat.complete(prompt)
        result = Message("tool", "Ada keeps it.", tool_call_id="c2")
        longer = here.chat.extend(
            prompt, first, (result,), ChatRequest((), (SEARCH,), max_tokens=7)
        )
        assert (await here.chat.complete(longer)).text == "Ada."
        sent = here.backend.bodies[1]
        assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "tool"]
        said = sent["messages"][1]
        assert (said["content"], said["reasoning_content"]) == ("I look.", "Hm.")
        assert said["tool_calls"][0]["id"] == "c2"
        assert (sent["tools"][0]["function"]["name"], sent["max_tokens"]) == ("search", 7)
        # the server's own count, and an estimate of what is new
        assert 23 < longer.n_tokens < 23 + 30
        with pytest.raises(ContextOverflow):
            here.chat.extend(prompt, first, (Message("user", "word " * 900),), ChatRequest(()))


# who is there


@pytest.mark.parametrize(
    ("models", "props", "tokens", "about"),
    [
        ({"data": [{"id": "a/b", "owned_by": "vllm", "max_model_len": 4096}]}, None, 150,
         About("a/b", "vllm", 4096, 150)),
        ({"data": [{"id": "x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 32768}}]},
         {"default_generation_settings": {"n_ctx": 2048}}, 150,
         About("x.gguf", "llama-server", 2048, 150)),
        ({"data": [{"id": "q", "owned_by": "edge-agent", "meta": {"n_ctx": 512}}]}, None, 0,
         About("q", "edge-agent", 512)),
        ({"object": "list", "data": [{"id": "z", "context_length": 9000}, {"id": "y"}]}, None, 0,
         About("z", "other", 9000)),
        ([{"id": "z"}], None, 0, About("z", "other")),
    ],
)  # fmt: skip
async def test_a_server_is_asked_what_it_is(
    models: Any, props: Any, tokens: int, about: About
) -> None:
    async with talk(text("a"), models=models, props=props, tokens=tokens) as here:
        assert await probe(here.link) == about
        assert here.chat.name == about.model


async def test_a_model_is_chosen_by_name_or_refused_with_the_list() -> None:
    listed = {"data": [{"id": "one", "aliases": ["uno"]}, {"id": "two"}]}
    async with talk(text("a"), models=listed) as here:
        assert (await probe(here.link, "two")).model == "two"
        assert (await probe(here.link, "uno")).model == "uno"
        with pytest.raises(NotFound, match="no model 'three'; it has: one, two"):
            await probe(here.link, "three")
    async with talk(text("a")) as here:
        here.backend.models = None
        assert await probe(here.link, "any") == About("any", "other")
        with pytest.raises(ConfigError, match="--backend-model"):
            await probe(here.link)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h/v1", "http://", "http://h:x", ""])
def test_a_backend_is_an_http_url(url: str) -> None:
    with pytest.raises(ConfigError, match="--backend takes a URL"):
        Link(url)


async def test_credentials_of_a_url_are_not_told() -> None:
    link = Link("http://me:hidden@127.0.0.1:1")
    with pytest.raises(EngineCrashed) as caught:
        await probe(link)
    assert "hidden" not in str(caught.value) and "http://127.0.0.1:1/v1" in str(caught.value)
    await link.aclose()


async def test_a_watch_sees_a_server_go_and_come_back() -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(running(Backend([text("a")])))
        link = Link(backend.url)
        watch = Watch(link)
        await watch.look()
        assert (watch.detail, watch.losses) == ("", 0)
        stack.close()
        await watch.look()
        await watch.look()
        assert "cannot be reached" in watch.detail and watch.losses == 1
        await link.aclose()
    with running(Backend([text("a")])) as backend:
        again = Link(backend.url)
        watch = Watch(again)
        watch.detail = "gone"
        await watch.look()
        assert watch.detail == ""
        backend.models = None  # it answers, if only that there is no such page
        await watch.look()
        assert watch.detail == ""
        await again.aclose()
