"""The official client of OpenAI for Python."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.asked import (
    FOLLOW_UP,
    FUNCTION,
    GREETING,
    KEY,
    QUESTION,
    TIMEOUT_S,
    TOOL,
    is_weather,
)
from tests.clients.conftest import Server

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")
NAMED = {"type": "function", "function": {"name": "get_weather"}}
ASK = [{"role": "user", "content": QUESTION}]


def client_of(server: Server) -> Any:
    return openai.OpenAI(base_url=server.v1, api_key=KEY, max_retries=0, timeout=TIMEOUT_S)


def test_chat(small: Server) -> None:
    answer = client_of(small).chat.completions.create(
        model=small.model, messages=[{"role": "user", "content": GREETING}], max_tokens=24
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert 0 < answer.usage.completion_tokens <= 24


def test_streaming(small: Server) -> None:
    stream = client_of(small).chat.completions.create(
        model=small.model,
        messages=[{"role": "user", "content": GREETING}],
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert sum(bool(word) for word in words) > 1
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def test_streaming_by_its_helper_gives_the_whole_as_well(small: Server) -> None:
    with client_of(small).chat.completions.stream(
        model=small.model, messages=[{"role": "user", "content": GREETING}], max_tokens=16
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        whole = stream.current_completion_snapshot
    assert "".join(deltas) == whole.choices[0].message.content


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_tool_call(caller: Server, choice: Any) -> None:
    answer = client_of(caller).chat.completions.create(
        model=caller.model,
        messages=ASK,
        tools=[TOOL],
        tool_choice=choice,
        parallel_tool_calls=False,
        temperature=0,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.id and is_weather(call.function.name, call.function.arguments)


def test_a_tool_call_that_is_streamed(caller: Server) -> None:
    with client_of(caller).chat.completions.stream(
        model=caller.model, messages=ASK, tools=[TOOL], tool_choice="required", temperature=0
    ) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "tool_calls.function.arguments.done" in kinds and message.tool_calls
    assert all(is_weather(c.function.name, c.function.arguments) for c in message.tool_calls)


def test_the_result_of_a_call_is_answered(caller: Server) -> None:
    client = client_of(caller)
    first = client.chat.completions.create(
        model=caller.model, messages=ASK, tools=[TOOL], tool_choice=NAMED, temperature=0
    )
    message = first.choices[0].message
    result = {
        "role": "tool",
        "tool_call_id": message.tool_calls[0].id,
        "content": "21 degrees and sunny",
    }
    second = client.chat.completions.create(
        model=caller.model,
        messages=[*ASK, message, result, {"role": "user", "content": FOLLOW_UP}],
        temperature=0,
        max_tokens=64,
    )
    assert "21" in second.choices[0].message.content


def test_an_answer_parsed_into_a_model(caller: Server) -> None:
    class Town(pydantic.BaseModel):
        name: str
        rainy: bool

    answer = client_of(caller).chat.completions.parse(
        model=caller.model, messages=ASK, response_format=Town, temperature=0, max_tokens=128
    )
    assert isinstance(answer.choices[0].message.parsed, Town)


async def test_the_client_for_asyncio(small: Server) -> None:
    async with openai.AsyncOpenAI(
        base_url=small.v1, api_key=KEY, max_retries=0, timeout=TIMEOUT_S
    ) as client:
        stream = await client.chat.completions.create(
            model=small.model,
            messages=[{"role": "user", "content": GREETING}],
            max_tokens=8,
            stream=True,
        )
        assert [chunk async for chunk in stream]


def test_an_error_is_its_own_class(small: Server) -> None:
    with pytest.raises(openai.BadRequestError, match="messages"):
        client_of(small).chat.completions.create(model=small.model, messages=[])


def test_text_completions(small: Server) -> None:
    answer = client_of(small).completions.create(
        model=small.model, prompt="One, two, three,", max_tokens=8
    )
    assert answer.choices[0].text


def test_embeddings(small: Server) -> None:
    data = client_of(small).embeddings.create(model="auto", input=["a boat", "a ship"]).data
    assert [len(each.embedding) for each in data] == [384, 384]


def test_responses(small: Server) -> None:
    client = client_of(small)
    first = client.responses.create(model=small.model, input=GREETING, max_output_tokens=24)
    assert first.output_text
    second = client.responses.create(
        model=small.model, input="Again.", previous_response_id=first.id, max_output_tokens=8
    )
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(first.id).output_text == first.output_text
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_responses_that_are_streamed(small: Server) -> None:
    with client_of(small).responses.stream(
        model=small.model, input=GREETING, max_output_tokens=24
    ) as stream:
        events = list(stream)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert events[-1].type in ("response.completed", "response.incomplete")
    assert "".join(deltas) == events[-1].response.output_text != ""


def test_responses_that_call_a_tool(caller: Server) -> None:
    client = client_of(caller)
    tool = {"type": "function", "strict": True, **FUNCTION}
    first = client.responses.create(
        model=caller.model,
        input=QUESTION,
        tools=[tool],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
    )
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert is_weather(call.name, call.arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    second = client.responses.create(
        model=caller.model,
        input=[result, {"role": "user", "content": FOLLOW_UP}],
        previous_response_id=first.id,
        temperature=0,
        max_output_tokens=64,
    )
    assert "21" in second.output_text
