"""A chat over a server that is not ours: what a server does not do."""

from __future__ import annotations

import json

import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Grammar,
    Message,
    NamedTool,
)
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import (
    GrammarError,
    NotSupported,
    RequestError,
)

from .backend import Says, refusal, stream, text
from .fakes import TOOLS
from .talk import ASKED, CALLED, SCHEMA, talk


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
