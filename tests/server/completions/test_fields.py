"""Fields of llama-server, vLLM and OpenAI that are honoured in a chat."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from edge_agent.chat.messages import (
    CallPiece,
    Done,
    Event,
    Message,
    Progress,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import Usage
from edge_agent.errors import RequestError
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.services import Defaults, Services
from tests.server.conftest import Serving
from tests.server.fakes import USAGE, FakeAgent, FakeChat
from tests.server.plain.texts import events, post, writing

USER: Any = {"role": "user", "content": "Hi"}
BEGUN: Any = {"role": "assistant", "content": "So"}
CHAT = "/v1/chat/completions"
SPOKEN = (Thought("Let"), Thought(" me"), Text("Yes."), Done("stop", USAGE))


def requested(*messages: Any, **fields: Any) -> Any:
    body = ChatBody.model_validate({"messages": list(messages) or [USER], **fields})
    return to_request(body, Defaults())


def server_of(serving: Serving, items: tuple[Event, ...] = SPOKEN, **more: Any) -> str:
    return serving(Services(FakeChat(items), FakeAgent(), **more))


def asked(url: str, **fields: Any) -> httpx.Response:
    return post(url, CHAT, messages=[USER], **fields)


def test_the_last_assistant_message_is_continued_or_not() -> None:
    assert requested(USER, BEGUN).prefill == "So"
    explicit = requested(USER, BEGUN, continue_final_message=True, add_generation_prompt=False)
    assert (explicit.prefill, explicit.opening) == ("So", True)
    closed = requested(USER, BEGUN, add_generation_prompt=False)
    assert (closed.prefill, closed.opening, len(closed.messages)) == ("", False, 2)
    anew = requested(USER, BEGUN, continue_final_message=False)
    assert (anew.prefill, anew.opening, len(anew.messages)) == ("", True, 2)


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        ((USER, BEGUN), {"continue_final_message": True, "add_generation_prompt": True}),
        ((USER,), {"continue_final_message": True}),
        (
            (USER, {**BEGUN, "tool_calls": [{"id": "c", "function": {"name": "f"}}]}),
            {"continue_final_message": True},
        ),
    ],
)
def test_a_message_that_cannot_go_on_is_refused(messages: Any, fields: Any) -> None:
    with pytest.raises(RequestError) as refused:
        requested(*messages, **fields)
    assert refused.value.param == "continue_final_message"


def test_parts_of_a_beginning_stand_apart() -> None:
    parts = [{"type": "text", "text": "Wh"}, {"type": "text", "text": "ill"}]
    assert requested(USER, {"role": "assistant", "content": parts}).prefill == "Wh\n\nill"
    assert requested({"role": "user", "content": parts}).messages == (Message("user", "Wh\nill"),)


def test_a_schema_may_stand_alone() -> None:
    schema = {"type": "object"}
    assert requested(json_schema=schema).response_schema == schema
    with pytest.raises(RequestError, match="response_format"):
        requested(json_schema=schema, response_format={"type": "json_object"})


def test_thinking_is_the_servers_to_choose_where_a_request_is_silent() -> None:
    body = ChatBody.model_validate({"messages": [USER]})
    assert to_request(body, Defaults(thinking=False)).thinking is False
    told = ChatBody.model_validate(
        {"messages": [USER], "chat_template_kwargs": {"enable_thinking": True}}
    )
    assert to_request(told, Defaults(thinking=False)).thinking is True


@pytest.mark.parametrize(
    ("form", "content", "thought"),
    [
        ("deepseek", "Yes.", "Let me"),
        ("none", "<think>\nLet me\n</think>\n\nYes.", None),
        ("deepseek-legacy", "<think>\nLet me\n</think>\n\nYes.", "Let me"),
    ],
)
def test_thoughts_go_where_they_are_wanted(
    serving: Serving, form: Any, content: str, thought: str | None
) -> None:
    by_field, by_flag = (
        server_of(serving),
        server_of(serving, defaults=Defaults(reasoning_format=form)),
    )
    for url, fields in ((by_field, {"reasoning_format": form}), (by_flag, {})):
        message = asked(url, **fields).json()["choices"][0]["message"]
        assert (message["content"], message.get("reasoning_content")) == (content, thought)
        chunks = events(asked(url, stream=True, **fields))[:-1]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert "".join(delta.get("content") or "" for delta in deltas) == content
        assert "".join(d.get("reasoning_content", "") for d in deltas) == (thought or "")


def test_progress_and_timings_go_with_the_deltas(serving: Serving) -> None:
    half, whole = Usage(8, 2, prompt_s=0.5), Usage(8, 2, 1, prompt_s=1.0, predict_s=0.25)
    url = server_of(
        serving,
        (Progress(5, half), Progress(8, whole), Text("a"), Done("length", whole)),
    )
    fields = {"stream": True, "return_progress": True, "timings_per_token": True}
    role, progress, text, last, _ = events(asked(url, **fields))
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert "timings" not in role
    assert progress["prompt_progress"] == {"total": 8, "cache": 2, "processed": 5, "time_ms": 500}
    assert progress["timings"]["prompt_n"] == 3 and progress["choices"][0]["delta"] == {}
    assert text["timings"]["predicted_n"] == 1 and last["timings"]["prompt_n"] == 6
    assert "prompt_progress" not in text


def test_the_rate_of_writing_is_over_the_steps_it_took(serving: Serving) -> None:
    used = Usage(4, 0, 5, prompt_s=1.0, predict_s=2.0)
    timings = asked(server_of(serving, (Text("a"), Done("stop", used)))).json()["timings"]
    assert (timings["predicted_n"], timings["predicted_per_second"]) == (5, 2.0)
    one = Usage(4, 0, 1, prompt_s=1.0, predict_s=0.1)
    timings = asked(server_of(serving, (Text("a"), Done("stop", one)))).json()["timings"]
    assert timings["predicted_per_second"] == timings["predicted_per_token_ms"] == 0


def test_a_call_is_streamed_name_first_and_then_in_pieces(serving: Serving) -> None:
    live = (
        CallPiece("c1", "f"),
        CallPiece("c1", arguments='{"a"'),
        CallPiece("c1", arguments=": 1}"),
        ToolCall("c1", "f", '{"a": 1}'),
        ToolCall("c2", "g", "{}"),
        Done("tool_calls", USAGE),
    )
    chunks = events(asked(server_of(serving, live), stream=True))[:-1]
    deltas = [c for chunk in chunks for c in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert deltas[0] == {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": ""},
    }
    assert [(d["index"], d["function"]["arguments"]) for d in deltas[1:]] == [
        (0, '{"a"'),
        (0, ": 1}"),
        (1, ""),
        (1, "{}"),
    ]
    whole = asked(server_of(serving, live)).json()["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in whole] == [
        ("c1", '{"a": 1}'),
        ("c2", "{}"),
    ]


def test_the_prompt_is_shown_to_those_who_ask(serving: Serving) -> None:
    url, loud = serving(writing("a", "a", "a")), serving(writing("a", "a", verbose=True))
    shown = post(url, CHAT, messages=[USER], verbose=True).json()["__verbose"]["prompt"]
    assert shown.endswith("Hi<|im_end|>\n<|im_start|>assistant\n")
    assert "__verbose" not in post(url, CHAT, messages=[USER]).json()
    assert "__verbose" in post(loud, CHAT, messages=[USER]).json()
    assert "__verbose" in events(post(loud, CHAT, messages=[USER], stream=True))[-2]


def test_a_chat_can_be_counted_before_it_is_held(serving: Serving) -> None:
    url = serving(writing("a"))
    counted = post(url, "/chat/completions/input_tokens", messages=[USER]).json()["input_tokens"]
    used = post(url, CHAT, messages=[USER]).json()["usage"]["prompt_tokens"]
    assert counted == used > 5
