"""The chat route over a real socket, asked by the official client."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import openai
import pytest

from edge_agent.chat.messages import ChatRequest, Done, NamedTool, Prompt, Text, Thought, ToolCall
from edge_agent.errors import (
    ContextOverflow,
    EngineBusy,
    EngineCrashed,
    GrammarError,
    NotSupported,
)
from edge_agent.server.services import EngineHealth, ServedModel, Services
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually, leave
from tests.server.fakes import USAGE, FakeAgent, FakeChat, Forever, Gate

USER: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    },
}
CALL = ToolCall("call_1", "weather", '{"town": "Oslo"}')
THINKS_AND_CALLS = (Thought("Look"), Thought(" it up"), CALL, Done("tool_calls", USAGE))


class SlowToPrepare(FakeChat):
    """Prepares until it is told to go on, as with a prompt of megabytes."""

    def __init__(self) -> None:
        super().__init__()
        self.preparing, self.go_on = Event(), Event()

    def prepare(self, request: ChatRequest) -> Prompt:
        self.preparing.set()
        assert self.go_on.wait(HANG_S)
        return super().prepare(request)


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=HANG_S)


def services_of(chat: FakeChat, **more: Any) -> Services:
    return Services(chat, FakeAgent(), **more)


def raw_chunks(url: str, **body: Any) -> list[str]:
    """The data of every event, as it stands on the wire."""
    answer = httpx.post(
        f"{url}/v1/chat/completions", json={"messages": USER, "stream": True, **body}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]


def deltas(chunks: Iterable[str]) -> list[dict[str, Any]]:
    return [c["choices"][0]["delta"] for c in map(json.loads, chunks) if c["choices"]]


def test_a_completion_has_text_usage_and_timings(serving: Serving) -> None:
    client = client_of(serving(services_of(FakeChat())))
    answer = client.chat.completions.create(model="auto", messages=USER)
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "fake-1b"
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage and answer.usage.total_tokens == 24
    assert answer.usage.prompt_tokens_details
    assert answer.usage.prompt_tokens_details.cached_tokens == 5
    timings: Any = answer.model_dump()["timings"]
    assert timings["prompt_n"] == 15 and timings["prompt_per_second"] == 30.0
    assert timings["predicted_n"] == 4 and timings["predicted_ms"] == 250.0


def test_a_stream_says_the_same_as_a_completion(serving: Serving) -> None:
    client = client_of(serving(services_of(FakeChat())))
    stream = client.chat.completions.create(
        model="fake-1b", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == "Hello there"
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens == 4


async def test_the_async_client_streams(serving: Serving) -> None:
    url = serving(services_of(FakeChat()))
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", timeout=HANG_S) as client:
        stream = await client.chat.completions.create(model="", messages=USER, stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == "Hello there"


def test_deltas_are_the_ones_clients_of_llama_server_expect(serving: Serving) -> None:
    items = (Text(""), *THINKS_AND_CALLS[:3], Text("So:"), Done("tool_calls", USAGE))
    *chunks, end = raw_chunks(serving(services_of(FakeChat(items))))
    first, *middle, last = deltas(chunks)
    assert first == {"role": "assistant", "content": None}
    assert last == {}
    assert [next(iter(delta)) for delta in middle] == [
        "reasoning_content",
        "reasoning_content",
        "tool_calls",
        "tool_calls",
        "content",
    ]
    assert all("role" not in delta and "" not in delta.values() for delta in middle)
    assert json.loads(chunks[-1])["choices"][0]["finish_reason"] == "tool_calls"
    assert "timings" in json.loads(chunks[-1])
    assert end == "[DONE]"


def test_with_usage_the_last_chunk_has_no_choices(serving: Serving) -> None:
    chunks = raw_chunks(serving(services_of(FakeChat())), stream_options={"include_usage": True})
    last = json.loads(chunks[-2])
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == 20 and last["timings"]
    assert "timings" not in json.loads(chunks[-3])


def test_a_tool_call_arrives_whole_with_its_thought(serving: Serving) -> None:
    chat = FakeChat(THINKS_AND_CALLS)
    client = client_of(serving(services_of(chat)))
    answer = client.chat.completions.create(
        model="auto",
        messages=USER,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    message = answer.choices[0].message
    assert message.content is None
    assert message.model_dump()["reasoning_content"] == "Look it up"
    assert message.tool_calls
    call: Any = message.tool_calls[0]
    assert (call.id, call.function.name) == ("call_1", "weather")
    assert json.loads(call.function.arguments) == {"town": "Oslo"}
    assert answer.choices[0].finish_reason == "tool_calls"
    assert chat.requests[0].tool_choice == NamedTool("weather")


def test_streamed_tool_calls_are_numbered(serving: Serving) -> None:
    items = (CALL, ToolCall("call_2", "weather", "{}"), Done("tool_calls", USAGE))
    client = client_of(serving(services_of(FakeChat(items))))
    stream = client.chat.completions.create(
        model="auto", messages=USER, tools=[WEATHER], stream=True
    )
    calls = [c for chunk in stream for c in chunk.choices[0].delta.tool_calls or []]
    named = [(call.index, call.id) for call in calls if call.id]
    assert named == [(0, "call_1"), (1, "call_2")]
    said = ["".join(c.function.arguments for c in calls if c.index == i) for i in (0, 1)]  # type: ignore[union-attr, misc]
    assert said == ['{"town": "Oslo"}', "{}"]


def test_a_malformed_call_is_told_beside_the_choice(serving: Serving) -> None:
    items = (Text("{oops"), Done("stop", USAGE, malformed="{oops: not JSON"))
    url = serving(services_of(FakeChat(items)))
    whole = httpx.post(f"{url}/v1/chat/completions", json={"messages": USER}).json()
    assert whole["choices"][0]["malformed_tool_call"] == "{oops: not JSON"
    last = json.loads(raw_chunks(url)[-2])
    assert last["choices"][0]["malformed_tool_call"] == "{oops: not JSON"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "raised", "status", "kind"),
    [
        (GrammarError("no", "tools"), openai.BadRequestError, 400, "invalid_request_error"),
        (ContextOverflow(9, 8), openai.BadRequestError, 400, "exceed_context_size_error"),
        (NotSupported("no"), openai.InternalServerError, 501, "not_supported_error"),
        (EngineBusy("full", 1.2), openai.RateLimitError, 429, "rate_limit_error"),
        (EngineCrashed("died"), openai.InternalServerError, 503, "unavailable_error"),
    ],
)
def test_an_error_before_the_first_event_is_a_status(
    serving: Serving,
    error: Exception,
    raised: type[openai.APIStatusError],
    status: int,
    kind: str,
    stream: bool,
) -> None:
    for chat in (FakeChat(refusal=error), FakeChat([error])):
        client = client_of(serving(services_of(chat)))
        with pytest.raises(raised) as caught:
            client.chat.completions.create(model="auto", messages=USER, stream=stream)
        body: Any = caught.value.body
        assert caught.value.status_code == status
        assert (body["code"], body["type"], body["message"]) == (status, kind, str(error))


def test_an_overflow_says_how_long_the_prompt_is(serving: Serving) -> None:
    url = serving(services_of(FakeChat(refusal=ContextOverflow(5000, 4096))))
    body = httpx.post(f"{url}/v1/chat/completions", json={"messages": USER}).json()["error"]
    assert (body["n_prompt_tokens"], body["n_ctx"], body["param"]) == (5000, 4096, "messages")


def test_a_full_queue_says_when_to_come_back(serving: Serving) -> None:
    url = serving(services_of(FakeChat([EngineBusy("full", 1.2)])))
    answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": USER, "stream": True})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_an_error_after_the_first_byte_ends_the_stream(serving: Serving) -> None:
    chat = FakeChat([Text("Hel"), EngineCrashed("The engine died.")])
    url = serving(services_of(chat))
    chunks = raw_chunks(url)
    assert json.loads(chunks[-1])["error"]["code"] == 503
    assert "[DONE]" not in chunks
    stream = client_of(url).chat.completions.create(model="auto", messages=USER, stream=True)
    with pytest.raises(openai.APIError, match="The engine died"):
        list(stream)
    assert chat.script.open == 0


def test_an_unexpected_error_tells_the_client_nothing(serving: Serving) -> None:
    url = serving(services_of(FakeChat([RuntimeError("secret")])))
    answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": USER})
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    broken = serving(services_of(FakeChat([Text("x"), RuntimeError("secret")])))
    chunks = raw_chunks(broken)
    assert json.loads(chunks[-1])["error"]["code"] == 500
    assert "secret" not in "".join(chunks)


def test_a_client_that_leaves_a_stream_closes_it(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("again "))])
    client = client_of(serving(services_of(chat)))
    stream = client.chat.completions.create(model="auto", messages=USER, stream=True)
    next(stream)
    assert chat.script.open == 1
    stream.close()
    assert eventually(lambda: chat.script.closed == 1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_first_token_closes_the_stream(
    serving: Serving, stream: bool
) -> None:
    chat = FakeChat([Gate()])
    url = serving(services_of(chat))
    body = {"messages": USER, "stream": stream}
    leave(url, "/v1/chat/completions", body, once=lambda: chat.script.open == 1)
    assert eventually(lambda: chat.script.closed == 1)


def test_other_requests_are_answered_during_a_stream(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("again "))])
    url = serving(services_of(chat))
    with client_of(url).chat.completions.create(model="auto", messages=USER, stream=True) as stream:
        next(iter(stream))
        assert httpx.get(f"{url}/health").status_code == 200


def test_other_requests_are_answered_while_a_long_prompt_is_prepared(serving: Serving) -> None:
    chat = SlowToPrepare()
    url = serving(services_of(chat))
    body = {"messages": USER}
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx.post, f"{url}/v1/chat/completions", json=body, timeout=HANG_S)
        assert chat.preparing.wait(HANG_S)
        assert httpx.get(f"{url}/health", timeout=HANG_S).status_code == 200
        chat.go_on.set()
        assert asked.result().status_code == 200


def test_a_quiet_stream_is_kept_open_by_comments(serving: Serving) -> None:
    gate = Gate()
    chat = FakeChat([Text("a"), gate, Text("b"), Done("stop", USAGE)])
    url = serving(services_of(chat, heartbeat_s=0.05))
    body = {"messages": USER, "stream": True}
    comments = 0
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=HANG_S) as answer:
        for line in answer.iter_lines():
            comments += line == ": still here"
            gate.is_open = comments >= 2
    assert comments >= 2
    stream = client_of(url).chat.completions.create(model="auto", messages=USER, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "ab"


def test_the_model_that_is_loaded_answers_whatever_is_named(serving: Serving) -> None:
    models = [
        ServedModel(name="fake-1b", aliases=("tiny",), size=10, n_ctx=4096),
        ServedModel(name="other", aliases=("big",), size=None, n_ctx=None),
    ]
    client = client_of(serving(services_of(FakeChat(), models=models)))
    for name in ("fake-1b", "tiny", "auto", "default", "", "gpt-4.1"):
        assert client.chat.completions.create(model=name, messages=USER).model == "fake-1b"


@pytest.mark.parametrize("state", ["loading", "failed"])
def test_without_an_engine_a_chat_is_unavailable(serving: Serving, state: Any) -> None:
    chat = FakeChat()
    url = serving(services_of(chat, health=lambda: EngineHealth(state, "no room")))
    answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": USER})
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable_error")
    assert not chat.requests
