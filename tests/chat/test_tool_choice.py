"""Every tool_choice, with and without thoughts, on a real model that draws almost at random.

A small model at temperature 1 does not know what a call looks like: whatever is right about its
calls is the grammar's doing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Grammar,
    Message,
    NamedTool,
    ToolChoice,
    ToolSpec,
)
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams

from .fakes import CHATML

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 4096
# the tools are not shown: what the model cannot know it cannot get right by itself
HERMES = CHATML + "{# tools <tool_call> #}"
XML = CHATML + "{# tools <function= #}"
THINKER = HERMES.replace("assistant\n' }}", "assistant\n<think>\n' }}")
FORMS = {"hermes": HERMES, "xml": XML, "thinker": THINKER}


def shut(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    """An object of these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or properties),
        "additionalProperties": False,
        **more,
    }


# from the easiest schema to the hardest
SCHEMAS = {
    "nothing": {},
    "choose": shut({"unit": {"enum": ["celsius", "kelvin", "度", None, 3]}}),
    "words": shut(
        {"tags": {"type": "array", "items": {"type": "string", "maxLength": 6}, "maxItems": 3}}
    ),
    "number": shut({"n": {"type": "integer", "minimum": -5, "exclusiveMaximum": 120}}),
    "maybe": shut({"a": {"type": "string", "maxLength": 5}, "b": {"type": "boolean"}}, "b"),
    "union": shut(
        {
            "when": {
                "anyOf": [
                    {"type": "null"},
                    {"type": "integer", "minimum": 1900, "maximum": 2100},
                    {"const": "today"},
                    shut({"in_days": {"enum": [1, 2, 3]}}),
                ]
            }
        }
    ),
    "nested": shut(
        {
            "place": shut(
                {
                    "town": {"type": "string", "maxLength": 12},
                    "at": shut({"x": {"type": "integer", "minimum": 0, "maximum": 9}}),
                }
            )
        }
    ),
    "pattern": shut({"id": {"type": "string", "pattern": "^[A-ZÄÖÜ]{2}-[0-9]{3}$"}}),
    "refs": shut(
        {"from": {"$ref": "#/$defs/city"}, "to": {"$ref": "#/$defs/city"}},
        **{
            "$defs": {
                "city": shut({"name": {"$ref": "#/$defs/name"}, "big": {"type": "boolean"}}, "big"),
                "name": {"type": "string", "minLength": 1, "maxLength": 8},
            }
        },
    ),
}
TOOLS = tuple(ToolSpec(name, f"The tool {name}.", schema) for name, schema in SCHEMAS.items())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(smollm2_path: Path) -> AsyncIterator[EngineClient]:
    spec = LoadSpec(str(smollm2_path), N_CTX, n_batch=512, n_parallel=4, n_threads=1)
    client = EngineClient(spec, notice=print, restart_s=(0.0,))
    await client.start()
    yield client
    assert client.status.restarts == 0
    await client.close()


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Iterator[Vocab]:
    vocab = Vocab.load(smollm2_path)
    yield vocab
    vocab.close()


@pytest.fixture(params=FORMS)
def chat(request: pytest.FixtureRequest, engine: EngineClient, vocab: Vocab) -> ChatModel:
    template = ChatTemplate(FORMS[request.param])
    return ChatModel("m", vocab, engine, template, N_CTX, SamplingParams())


def asked(choice: ToolChoice, seed: int, **more: Any) -> ChatRequest:
    question = (Message("user", "Where is it warm?"),)
    sampling = SamplingParams(temperature=1.0, seed=seed)
    request = ChatRequest(question, TOOLS, choice, False, sampling=sampling, max_tokens=200)
    return replace(request, thinking_budget=6, **more)


async def answered(chat: ChatModel, *requests: ChatRequest) -> list[Completion]:
    return await asyncio.gather(*(chat.complete(chat.prepare(request)) for request in requests))


def check(completion: Completion) -> None:
    """All that was called is there, and obeys its schema."""
    assert completion.done.malformed is None
    for call in completion.tool_calls:
        arguments = json.loads(call.arguments)
        assert isinstance(arguments, dict)
        Draft202012Validator(SCHEMAS[call.name]).validate(arguments)


async def test_a_named_tool_is_called_once_whatever_its_schema(chat: ChatModel) -> None:
    told = await answered(chat, *(asked(NamedTool(name), 1) for name in SCHEMAS))
    for name, completion in zip(SCHEMAS, told, strict=True):
        check(completion)
        assert [call.name for call in completion.tool_calls] == [name]
        assert (completion.text, completion.done.reason) == ("", "tool_calls")


async def test_required_always_calls_none_never_does_and_auto_may(chat: ChatModel) -> None:
    choices: list[ToolChoice] = ["required", "required", "required", "none", "auto", "auto"]
    requests = [asked(choice, seed) for seed, choice in enumerate(choices)]
    requests[3:] = [replace(request, max_tokens=16) for request in requests[3:]]
    told = await answered(chat, *requests)
    for choice, completion in zip(choices, told, strict=True):
        if choice == "auto" and completion.done.reason == "length":
            continue  # perhaps in the middle of a call
        check(completion)
        if choice != "auto":
            assert len(completion.tool_calls) == (choice == "required")
            assert choice == "none" or completion.text == ""


async def test_a_thought_that_is_cut_short_is_followed_by_what_must_be(
    engine: EngineClient, vocab: Vocab
) -> None:
    chat = ChatModel("m", vocab, engine, ChatTemplate(THINKER), N_CTX, SamplingParams())
    given = Grammar("gbnf", 'root ::= ("yes" | "no") [.!]')
    told = await answered(
        chat,
        asked("required", 1, thinking_close="Enough."),
        asked("none", 2, grammar=given),
        asked("none", 3, response_schema=SCHEMAS["choose"]),
    )
    assert told[0].thought.strip().endswith("Enough.")
    assert len(told[0].tool_calls) == 1
    assert told[1].text.strip() in ("yes.", "yes!", "no.", "no!")
    Draft202012Validator(SCHEMAS["choose"]).validate(json.loads(told[2].text))
    for completion in told:
        check(completion)
        assert completion.thought
