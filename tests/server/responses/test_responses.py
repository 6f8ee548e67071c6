"""One request, one response: the official client against a real server."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from edge_agent.chat.messages import (
    Done,
    Message,
    NamedTool,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolSpec,
)
from edge_agent.engine.params import Usage
from edge_agent.errors import ContextOverflow, EngineBusy
from edge_agent.server.services import Services
from tests.server.conftest import Serving, eventually
from tests.server.fakes import USAGE, FakeAgent, FakeChat, Forever
from tests.server.responses.conftest import Client, client_of

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    "strict": True,
}
CALL = ToolCall("call_1", "get_weather", '{"town":"Oban"}')


def test_a_text_is_a_response_with_one_message(client: Client) -> None:
    chat = FakeChat()
    response = client(chat).responses.create(model="fake-1b", input="Hi", temperature=0.5)
    assert response.id.startswith("resp_")
    assert (response.object, response.status, response.error) == ("response", "completed", None)
    assert response.output_text == "Hello there"
    assert response.output[0].type == "message" and response.output[0].id.startswith("msg_")
    assert response.output[0].status == "completed"
    assert (response.model, response.temperature, response.tool_choice) == ("fake-1b", 0.5, "auto")
    assert response.completed_at is not None and response.completed_at >= response.created_at
    usage = response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (20, 4, 24)
    assert usage.input_tokens_details.cached_tokens == 5
    assert chat.requests[-1].messages == (Message("user", "Hi"),)
    assert chat.requests[-1].sampling is not None
    assert chat.requests[-1].sampling.temperature == 0.5


def test_instructions_and_leading_system_items_are_one_system_message(client: Client) -> None:
    chat = FakeChat()
    client(chat).responses.create(
        model="auto",
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "Speak French."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
    )
    wanted = (Message("system", "Be brief.\n\nSpeak French."), Message("user", "Hi"))
    assert chat.requests[-1].messages == wanted


def test_the_items_of_a_turn_are_one_message(client: Client) -> None:
    chat = FakeChat()
    client(chat).responses.create(
        model="auto",
        input=[
            {"role": "user", "content": "Weather?"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "I look."}],
            },
            {"role": "assistant", "content": "Let me see."},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": CALL.arguments,
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "Rain"},
        ],
    )
    assert chat.requests[-1].messages == (
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", thought="I look.", tool_calls=(CALL,)),
        Message("tool", "Rain", tool_call_id="call_1"),
    )


def test_thoughts_that_cannot_be_read_are_passed_over(client: Client) -> None:
    chat = FakeChat()
    secret: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    hello: Any = {"role": "user", "content": "Hi"}
    client(chat).responses.create(model="auto", input=[hello, secret, hello])
    assert chat.requests[-1].messages == (Message("user", "Hi"), Message("user", "Hi"))


def test_thoughts_text_and_calls_are_items_in_their_order(client: Client) -> None:
    done = Done("tool_calls", USAGE, thought_tokens=2)
    chat = FakeChat([Thought("Hm"), Thought("m"), Text("\n\n"), Text("So:"), CALL, done])
    response = client(chat).responses.create(model="auto", input="Weather?", tools=[WEATHER])
    reasoning, message, call = response.output
    assert reasoning.type == "reasoning" and reasoning.content
    assert (reasoning.content[0].text, reasoning.summary) == ("Hmm", [])
    assert message.type == "message" and response.output_text == "\n\nSo:"
    assert call.type == "function_call" and call.id and call.id.startswith("fc_")
    assert (call.call_id, call.name, call.arguments) == ("call_1", "get_weather", CALL.arguments)
    assert response.usage and response.usage.output_tokens_details.reasoning_tokens == 2
    assert response.tools[0].type == "function" and response.tools[0].name == "get_weather"


def test_white_space_before_a_call_is_no_message(client: Client) -> None:
    chat = FakeChat([Thought("Hm"), Text("\n\n"), CALL, Done("tool_calls", USAGE)])
    response = client(chat).responses.create(model="auto", input="Weather?", tools=[WEATHER])
    assert [item.type for item in response.output] == ["reasoning", "function_call"]


def test_a_summary_of_thoughts_is_the_thoughts_where_it_is_asked_for(client: Client) -> None:
    chat = FakeChat([Thought("Hmm"), Text("So"), Done("stop", USAGE)])
    response = client(chat).responses.create(
        model="auto", input="Hi", reasoning={"effort": "low", "summary": "auto"}
    )
    reasoning = response.output[0]
    assert reasoning.type == "reasoning" and reasoning.summary[0].text == "Hmm"
    assert not reasoning.content
    assert chat.requests[-1].thinking_budget == 1024


def test_an_answer_cut_short_is_incomplete(client: Client) -> None:
    chat = FakeChat([Text("Once upon"), Done("length", USAGE)])
    response = client(chat).responses.create(model="auto", input="Tell", max_output_tokens=16)
    assert response.status == "incomplete" and response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output[0].type == "message" and response.output[0].status == "incomplete"
    assert chat.requests[-1].max_tokens == 16


def test_an_empty_answer_is_a_message_without_words(client: Client) -> None:
    response = client(FakeChat([Done("stop", Usage())])).responses.create(model="x", input="Hi")
    assert [item.type for item in response.output] == ["message"]
    assert response.output_text == ""


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "get_weather"}, NamedTool("get_weather")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get_weather"}],
            },
            "required",
        ),
    ],
)
def test_tool_choice_in_all_its_forms(client: Client, choice: object, wanted: object) -> None:
    chat = FakeChat()
    tools = [WEATHER, {**WEATHER, "name": "other"}]
    create = client(chat).responses.create
    create(model="x", input="Hi", tools=tools, tool_choice=choice)  # type: ignore[call-overload]
    asked = chat.requests[-1]
    assert asked.tool_choice == wanted
    parameters = WEATHER["parameters"]
    assert asked.tools[0] == ToolSpec("get_weather", "The weather of a town.", parameters)  # type: ignore[arg-type]
    allowed = isinstance(choice, dict) and choice["type"] == "allowed_tools"
    assert len(asked.tools) == (1 if allowed else 2)


def test_a_schema_holds_the_text(client: Client) -> None:
    chat = FakeChat()
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}
    response = client(chat).responses.create(model="x", input="Hi", text=text)  # type: ignore[arg-type]
    assert chat.requests[-1].response_schema == schema
    assert response.text and response.text.format and response.text.format.type == "json_schema"
    client(chat).responses.create(model="x", input="Hi", text={"format": {"type": "json_object"}})
    assert chat.requests[-1].response_schema == {}


def test_logprobs_are_in_the_text_where_they_are_asked_for(client: Client) -> None:
    token = TokenLogprob(b"Hi", -0.5, (TokenLogprob(b"Ho", -1.5),))
    chat = FakeChat([Text("Hi", logprobs=(token,)), Done("stop", USAGE)])
    response = client(chat).responses.create(
        model="x", input="Hi", include=["message.output_text.logprobs"], top_logprobs=1
    )
    assert response.output[0].type == "message"
    part = response.output[0].content[0]
    assert part.type == "output_text" and part.logprobs
    told = part.logprobs[0]
    assert (told.token, told.logprob, told.top_logprobs[0].token) == ("Hi", -0.5, "Ho")
    assert chat.requests[-1].n_logprobs == 1


def test_fields_of_llama_server_are_read(client: Client) -> None:
    chat = FakeChat()
    more = {"min_p": 0.1, "seed": 7, "chat_template_kwargs": {"enable_thinking": False}}
    response = client(chat).responses.create(model="x", input="Hi", extra_body=more)
    asked = chat.requests[-1]
    assert asked.sampling and (asked.sampling.min_p, asked.sampling.seed) == (0.1, 7)
    assert asked.thinking is False
    assert response.model_extra and response.model_extra["timings"]["predicted_n"] == 4


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": 3}, 400, "input"),
        ({"input": [{"role": "user"}]}, 400, "input[0].content"),
        ({"input": [{"type": "computer_call"}]}, 501, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, 501, None),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, 400, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_0"}]}, 400, "input[0].id"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, 501, "tools[0]"),
        ({"input": "x", "tools": [{"type": "function"}]}, 400, "tools[0].name"),
        ({"input": "x", "tool_choice": "required"}, 400, "tool_choice"),
        ({"input": "x", "tool_choice": {"type": "mcp"}}, 501, "tool_choice"),
        ({"input": "x", "tool_choice": {"type": "function"}}, 400, "tool_choice.name"),
        ({"input": "x", "conversation": "conv_1"}, 501, "conversation"),
        ({"input": "x", "prompt": {"id": "p"}}, 501, "prompt"),
        ({"input": "x", "previous_response_id": "resp_0"}, 400, "previous_response_id"),
        ({"input": "x", "background": True, "store": False}, 400, "store"),
        ({"input": "x", "max_output_tokens": 0}, 400, "max_output_tokens"),
        ({"input": "x", "temperature": "warm"}, 400, "temperature"),
        ({"input": "x", "min_p": 7}, 400, "min_p"),
        ({"input": "x", "n": 2}, 501, "n"),
        ({"input": "x", "text": {"format": {"type": "json_schema"}}}, 400, "text.format.schema"),
        ({"model": "agent", "input": [{"role": "system", "content": "Be brief."}]}, 400, "input"),
        ({"model": "agent", "input": [{"role": "assistant", "content": "It"}]}, 400, "input"),
        ({"model": "agent", "input": "x", "stop": ["END"]}, 501, "stop"),
    ],
)
def test_what_cannot_be_done_is_named(
    client: Client, body: dict[str, object], status: int, param: str | None
) -> None:
    url = f"{client().base_url}responses"
    reply = httpx.post(url, json={"model": "x", **body})
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["code"] == status and error["message"].endswith(".")
    if param is not None:
        assert error.get("param") == param


def test_a_prompt_that_does_not_fit_says_by_how_much(client: Client) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client(FakeChat(refusal=ContextOverflow(9000, 4096))).responses.create(model="x", input="H")
    assert caught.value.type == "exceed_context_size_error"
    assert caught.value.param == "input" and "shorten the input" in caught.value.message


def test_a_full_queue_is_429_also_for_a_stream(client: Client) -> None:
    chat = FakeChat([EngineBusy("The queue is full.", 2.0)])
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as caught:
            client(chat).responses.create(model="x", input="Hi", stream=stream)
        assert caught.value.response.headers["retry-after"] == "2"


def test_who_goes_ends_the_generation(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("again "))])
    url = serving(Services(chat, FakeAgent()))
    with client_of(url).responses.create(model="x", input="Hi", stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                break
    assert eventually(lambda: chat.script.closed == 1)


def test_without_a_store_responses_are_answered_and_not_kept(client: Client) -> None:
    mine = client(responses=None)
    response = mine.responses.create(model="x", input="Hi")
    assert response.output_text == "Hello there"
    assert response.model_extra and response.model_extra["store"] is False
    for act in (
        lambda: mine.responses.retrieve(response.id),
        lambda: mine.responses.create(model="x", input="Hi", previous_response_id=response.id),
        lambda: mine.responses.create(model="x", input="Hi", background=True),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            act()
        assert caught.value.status_code == 501


def test_the_tokens_of_an_input_are_counted_without_a_generation(client: Client) -> None:
    chat = FakeChat()
    counted = client(chat).responses.input_tokens.count(model="x", input="Hi")
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 3)
    assert chat.script.closed == 0
