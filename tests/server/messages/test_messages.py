"""The Messages API over a real socket, asked by Anthropic's own client."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anthropic
import httpx
import pytest

from edge_agent.agent.records import Answered, Run
from edge_agent.chat.messages import CallPiece, Done, Text, Thought, ToolCall
from edge_agent.errors import (
    ContextOverflow,
    EngineBusy,
    EngineCrashed,
    GrammarError,
    NotSupported,
)
from edge_agent.server.services import EngineHealth, Services
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually, leave
from tests.server.fakes import RUN, USAGE, FakeAgent, FakeChat, Forever, Gate

USER: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a town.",
    "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}},
}
CALL = ToolCall("call_1", "weather", '{"town": "Oslo"}')
THINKS_AND_CALLS = (Thought("Look"), Thought(" it up"), CALL, Done("tool_calls", USAGE))


def client_of(url: str, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=url, api_key="unused", max_retries=0, timeout=HANG_S, **more
    )


def services_of(chat: FakeChat, **more: Any) -> Services:
    return Services(chat, FakeAgent(), **more)


def post(url: str, path: str = "/v1/messages", **body: Any) -> httpx.Response:
    return httpx.post(url + path, json={"messages": USER, "max_tokens": 9, **body}, timeout=HANG_S)


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The data of each event, whose name is its type."""
    events = []
    for block in filter(None, answer.text.split("\n\n")):
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def test_the_official_client_reads_a_message(serving: Serving) -> None:
    client = client_of(serving(services_of(FakeChat())))
    answer = client.messages.create(model="claude-opus-4-1", max_tokens=9, messages=USER)
    assert answer.id.startswith("msg_") and answer.model == "fake-1b"
    (block,) = answer.content
    assert block.type == "text" and block.text == "Hello there"
    assert answer.stop_reason == "end_turn" and answer.stop_sequence is None
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (15, 5, 4)


def test_the_official_client_streams_a_message(serving: Serving) -> None:
    chat = FakeChat((Thought("Look."), Text("Hel"), Text("lo"), Done("stop", USAGE, stop="END")))
    client = client_of(serving(services_of(chat)))
    with client.messages.stream(
        model="auto", max_tokens=9, messages=USER, stop_sequences=["END"]
    ) as stream:
        words = list(stream.text_stream)
        answer = stream.get_final_message()
    assert words == ["Hel", "lo"]
    thought, text = answer.content
    assert thought.type == "thinking" and thought.thinking == "Look."
    assert text.type == "text" and text.text == "Hello"
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    assert answer.usage.cache_read_input_tokens == 5
    assert chat.requests[0].stop == ("END",)


async def test_the_async_client_streams(serving: Serving) -> None:
    url = serving(services_of(FakeChat()))
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key="unused", timeout=HANG_S) as client,
        client.messages.stream(model="auto", max_tokens=9, messages=USER) as stream,
    ):
        words = [word async for word in stream.text_stream]
    assert "".join(words) == "Hello there"


def test_a_tool_call_arrives_with_its_input_and_thought(serving: Serving) -> None:
    chat = FakeChat(THINKS_AND_CALLS)
    client = client_of(serving(services_of(chat)))
    answer = client.messages.create(
        model="auto",
        max_tokens=9,
        messages=USER,
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    )
    thought, call = answer.content
    assert thought.type == "thinking" and thought.thinking == "Look it up"
    assert call.type == "tool_use"
    assert (call.id, call.name, call.input) == ("call_1", "weather", {"town": "Oslo"})
    assert answer.stop_reason == "tool_use"
    assert not chat.requests[0].parallel_tool_calls


def test_a_streamed_tool_call_is_put_together_by_the_client(serving: Serving) -> None:
    live = (CallPiece("call_1", "weather"), CallPiece("call_1", "", '{"town"'))
    items = (Text("Yes."), *live, CallPiece("call_1", "", ': "Oslo"}'), *THINKS_AND_CALLS[2:])
    for script in (items, (Text("Yes."), *THINKS_AND_CALLS[2:])):
        client = client_of(serving(services_of(FakeChat(script))))
        with client.messages.stream(
            model="auto", max_tokens=9, messages=USER, tools=[WEATHER]
        ) as stream:
            text, call = stream.get_final_message().content
        assert text.type == "text" and text.text == "Yes."
        assert call.type == "tool_use" and call.input == {"town": "Oslo"}


def test_the_agent_answers_under_its_name(serving: Serving) -> None:
    agent = FakeAgent()
    answer = post(serving(Services(FakeChat(), agent)), model="agent").json()
    assert answer["model"] == "fake-1b-agent" and answer["content"][-1]["type"] == "text"
    assert agent.tasks


MISSING = replace(RUN, answer="not found", citations=(), tried=("the light",))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "run",
    [
        MISSING,
        replace(MISSING, reason="token_limit", forced=True),
        replace(MISSING, status="failed", reason="env_error", answer="No answer: it broke."),
    ],
)
def test_a_run_that_found_nothing_ends_its_turn_as_any_other(
    serving: Serving, run: Run, stream: bool
) -> None:
    client = client_of(serving(Services(FakeChat(), FakeAgent([Answered(run)]))))
    asked: Any = {"model": "agent", "max_tokens": 100, "messages": USER}
    if stream:
        with client.messages.stream(**asked) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.content[-1].text.startswith(run.answer)


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_agent_cannot_honour_is_named_as_it_is_called_here(
    serving: Serving, stream: bool
) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    answer = post(url, model="agent", stop_sequences=["END"], stream=stream)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (500, "stop_sequences")
    assert error["message"].startswith("stop_sequences is not supported: ")


def test_tokens_are_counted_whether_or_not_they_fit(serving: Serving) -> None:
    client = client_of(serving(services_of(FakeChat())))
    counted = client.messages.count_tokens(model="auto", messages=USER, system="Be brief.")
    assert counted.input_tokens == 3
    full = serving(services_of(FakeChat(refusal=ContextOverflow(5000, 4096))))
    answer = post(full, "/v1/messages/count_tokens")
    assert answer.json() == {"input_tokens": 5000}


def test_the_events_on_the_wire_are_named_after_their_types(serving: Serving) -> None:
    answer = post(serving(services_of(FakeChat())), stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    types = [event["type"] for event in events_of(answer)]
    assert types[:3] == ["message_start", "ping", "content_block_start"]
    assert types[-2:] == ["message_delta", "message_stop"]


def test_pings_keep_a_quiet_stream_open(serving: Serving) -> None:
    gate, pings = Gate(), 0
    chat = FakeChat([Text("x"), gate, Done("stop", USAGE)])
    url = serving(services_of(chat, heartbeat_s=0.05)) + "/v1/messages"
    body = {"messages": USER, "max_tokens": 9, "stream": True}
    with httpx.stream("POST", url, json=body, timeout=HANG_S) as answer:
        for line in answer.iter_lines():
            pings += line == "event: ping"
            gate.is_open = pings > 2
    assert pings > 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "raised", "status", "kind"),
    [
        (GrammarError("no", "tools"), anthropic.BadRequestError, 400, "invalid_request_error"),
        (ContextOverflow(9, 8), anthropic.BadRequestError, 400, "invalid_request_error"),
        (NotSupported("no"), anthropic.InternalServerError, 500, "api_error"),
        (EngineBusy("full", 1.2), anthropic.RateLimitError, 429, "rate_limit_error"),
        (EngineCrashed("died"), anthropic.APIStatusError, 503, "overloaded_error"),
    ],
)
def test_an_error_before_the_first_event_is_a_status(
    serving: Serving,
    error: Exception,
    raised: type[anthropic.APIStatusError],
    status: int,
    kind: str,
    stream: bool,
) -> None:
    for chat in (FakeChat(refusal=error), FakeChat([error])):
        client = client_of(serving(services_of(chat)))
        with pytest.raises(raised) as caught:
            client.messages.create(model="auto", max_tokens=9, messages=USER, stream=stream)
        body: Any = caught.value.body
        assert caught.value.status_code == status
        assert body["type"] == "error"
        assert (body["error"]["type"], body["error"]["message"]) == (kind, str(error))


def test_a_feature_that_is_lacking_is_not_asked_for_again(serving: Serving) -> None:
    chat = FakeChat(refusal=NotSupported("no"))
    client = anthropic.Anthropic(base_url=serving(services_of(chat)), api_key="x", timeout=HANG_S)
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(model="auto", max_tokens=9, messages=USER)
    assert len(chat.requests) == 1


def test_a_full_queue_says_when_to_come_back(serving: Serving) -> None:
    answer = post(serving(services_of(FakeChat([EngineBusy("full", 1.2)]))))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_an_error_after_the_first_byte_is_an_event(serving: Serving) -> None:
    chat = FakeChat([Text("Hel"), EngineCrashed("The engine died.")])
    url = serving(services_of(chat))
    last = events_of(post(url, stream=True))[-1]
    assert last["type"] == "error" and last["error"]["message"] == "The engine died."
    with (
        pytest.raises(anthropic.APIStatusError, match="The engine died"),
        client_of(url).messages.stream(model="auto", max_tokens=9, messages=USER) as stream,
    ):
        stream.get_final_message()
    assert chat.script.open == 0


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_what_the_doors_refuse_has_anthropics_shape(serving: Serving, path: str) -> None:
    url = serving(services_of(FakeChat(), api_keys=("right",), max_body_bytes=1000))
    refused = post(url, path)
    assert refused.status_code == 401
    assert refused.json()["type"] == "error"
    assert refused.json()["error"]["type"] == "authentication_error"
    key = {"x-api-key": "right", "anthropic-version": "2023-06-01"}
    large = httpx.post(url + path, content=b"x" * 2000, headers=key)
    assert (large.status_code, large.json()["error"]["type"]) == (413, "request_too_large")
    method = httpx.get(url + path, headers=key)
    assert (method.status_code, method.json()["type"]) == (405, "error")
    broken = httpx.post(url + path, content=b"{", headers=key)
    assert (broken.status_code, broken.json()["error"]["type"]) == (400, "invalid_request_error")
    assert httpx.post(url + path, json={"messages": USER}, headers=key).status_code == 200


def test_the_client_knows_a_wrong_key(serving: Serving) -> None:
    url = serving(services_of(FakeChat(), api_keys=("right",)))
    with pytest.raises(anthropic.AuthenticationError, match="not one of this server's keys"):
        client_of(url).messages.create(model="auto", max_tokens=9, messages=USER)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": None}, "messages: Input should be a valid list."),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"messages": [{"role": "user", "content": 1}]}, "a string or a list of blocks"),
        ({"system": [{"type": "image"}]}, "system[0]: image input is not supported"),
        ({"tools": [{"name": ""}]}, "tools[0].name: "),
    ],
)
def test_a_wrong_field_is_named(serving: Serving, body: Any, message: str) -> None:
    answer = post(serving(services_of(FakeChat())), **body)
    assert answer.status_code in (400, 500)
    error = answer.json()["error"]
    assert message in error["message"] and "code" not in error


def test_an_unexpected_error_tells_the_client_nothing(serving: Serving) -> None:
    answer = post(serving(services_of(FakeChat([RuntimeError("secret")]))))
    assert (answer.status_code, answer.json()["type"]) == (500, "error")
    assert answer.json()["error"]["type"] == "api_error" and "secret" not in answer.text
    broken = post(serving(services_of(FakeChat([Text("x"), RuntimeError("secret")]))), stream=True)
    assert events_of(broken)[-1]["error"]["type"] == "api_error" and "secret" not in broken.text


def test_errors_of_other_routes_keep_their_shape(serving: Serving) -> None:
    answer = httpx.post(f"{serving(services_of(FakeChat()))}/v1/chat/completions", json={})
    assert "type" not in answer.json() and answer.json()["error"]["code"] == 400


def test_nothing_is_asked_of_an_engine_that_is_not_there(serving: Serving) -> None:
    down = EngineHealth("failed", "out of memory")
    answer = post(serving(services_of(FakeChat(), health=lambda: down)))
    assert answer.status_code == 503 and "out of memory" in answer.json()["error"]["message"]


def test_a_client_that_leaves_a_stream_closes_it(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("again "))])
    client = client_of(serving(services_of(chat)))
    with client.messages.stream(model="auto", max_tokens=9, messages=USER) as stream:
        next(stream.text_stream)
        assert chat.script.open == 1
    assert eventually(lambda: chat.script.closed == 1)


def test_a_client_that_leaves_before_the_message_closes_the_stream(serving: Serving) -> None:
    chat = FakeChat([Gate(), Done("stop", USAGE)])
    url, body = serving(services_of(chat)), {"messages": USER}
    leave(url, "/v1/messages", body, once=lambda: chat.script.open == 1)
    assert eventually(lambda: chat.script.closed == 1)
