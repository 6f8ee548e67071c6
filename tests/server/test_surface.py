"""Every field of each API's request is honoured, passed over because it changes nothing, or refused
by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from edge_agent.chat.messages import ChatRequest
from edge_agent.errors import NotSupported
from edge_agent.server import surface
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.messages.request import to_request as to_message_request
from edge_agent.server.messages.schemas import MessagesBody
from edge_agent.server.plain.schemas import NativeBody, TextBody
from edge_agent.server.responses.schemas import ResponseBody
from edge_agent.server.services import Defaults
from edge_agent.server.surface import Surface
from edge_agent.server.text.schemas import EmbeddingsBody
from tests.server import fields
from tests.server.conftest import running
from tests.server.house import house

USER = [{"role": "user", "content": "Hi"}]
WEATHER = {"type": "object", "properties": {"town": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": WEATHER}}
SURFACES: list[tuple[str, list[str], type[BaseModel], Surface]] = [
    ("chat", [*fields.CHAT, *fields.LLAMA], ChatBody, surface.CHAT),
    ("text", [*fields.TEXT, *fields.LLAMA], TextBody, surface.TEXT),
    ("native", ["prompt", "n_probs", "n_cmpl", *fields.LLAMA], NativeBody, surface.TEXT),
    ("responses", fields.RESPONSES, ResponseBody, surface.RESPONSES),
    ("messages", fields.MESSAGES, MessagesBody, surface.MESSAGES),
    ("embeddings", fields.EMBEDDINGS, EmbeddingsBody, surface.EMBEDDINGS),
]
EACH = pytest.mark.parametrize(
    ("names", "body", "rules"), [s[1:] for s in SURFACES], ids=[s[0] for s in SURFACES]
)


def honoured(body: type[BaseModel]) -> set[str]:
    """The fields that a body has, under all of their names."""
    found = set()
    for name, field in body.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if hasattr(alias, "choices") else [alias]
        found |= {name, *(str(choice) for choice in choices if choice)}
    return found


@EACH
def test_every_field_is_in_one_place(
    names: list[str], body: type[BaseModel], rules: Surface
) -> None:
    places = (honoured(body), set(rules.refused), set(rules.accepted))
    lost = [name for name in names if not any(name in place for place in places)]
    assert lost == []
    assert not places[0] & places[1] and not places[1] & places[2]


def asking(path: str) -> dict[str, Any]:
    """A body in which this field asks for something."""
    name, *inside = path.split(".")
    value = "low" if path == "text.verbosity" else True
    return {name: {inside[0]: value} if inside else [{"anything": 7}]}


RULES = (*(each[3] for each in SURFACES), surface.AGENT)
REFUSED = [(path, rules) for rules in RULES for path in rules.refused]


@pytest.mark.parametrize(("path", "rules"), REFUSED)
def test_a_refusal_is_one_sentence_that_names_the_field(path: str, rules: Surface) -> None:
    with pytest.raises(NotSupported) as refused:
        rules.check(asking(path))
    text = str(refused.value)
    assert refused.value.param == path
    assert text.startswith(f"{path} is not supported: ") and text.endswith(".")


@EACH
def test_what_asks_for_nothing_is_passed_over(
    names: list[str], body: type[BaseModel], rules: Surface
) -> None:
    for name, refusal in rules.refused.items():
        for quiet in (*refusal.quiet, None, *(() if refusal.on else surface.OFF)):
            rules.check({name: quiet})
    rules.check({name: {"anything": 7} for name in rules.accepted})
    rules.check({"nobody_knows_this": 7})
    rules.check(None)


ASKED: dict[str, Any] = {
    "chat_template_kwargs": {"a": 1},
    "cache_prompt": False,
    "dry_allowed_length": 3,
    "dry_base": 2.5,
    "dry_multiplier": 0.5,
    "dry_penalty_last_n": 7,
    "dry_sequence_breakers": ["x"],
    "frequency_penalty": 0.5,
    "grammar": 'root ::= "a"',
    "ignore_eos": True,
    "json_schema": WEATHER,
    "logit_bias": {"5": 1},
    "logprobs": True,
    "max_completion_tokens": 5,
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "Ho"}],
    "min_p": 0.2,
    "n": 2,
    "n_predict": 5,
    "parallel_tool_calls": False,
    "pin_prompt": True,
    "presence_penalty": 0.5,
    "priority": "background",
    "reasoning_effort": "low",
    "repeat_last_n": 7,
    "repeat_penalty": 1.5,
    "response_format": FORM,
    "seed": 7,
    "speculative": False,
    "stop": "x",
    "stream": True,
    "temperature": 0.1,
    "thinking_budget_tokens": 9,
    "tools": [FUNCTION],
    "top_k": 7,
    "top_p": 0.5,
    "typical_p": 0.5,
}
# of these the answer's form depends, not what is asked of the model; other tests have them
OF_THE_REPLY = {
    "add_generation_prompt",
    "continue_final_message",
    "model",
    "reasoning_format",
    "return_progress",
    "stream_options",
    "thinking_budget_message",
    "timings_per_token",
    "tool_choice",
    "top_logprobs",
    "verbose",
}


def asked(**more: Any) -> ChatRequest:
    return to_request(ChatBody.model_validate({"messages": USER, **more}), Defaults())


def test_every_honoured_field_of_a_chat_is_tried() -> None:
    assert set(ChatBody.model_fields) == set(ASKED) | OF_THE_REPLY


@pytest.mark.parametrize("name", ASKED)
def test_an_honoured_field_changes_what_is_asked_of_the_model(name: str) -> None:
    assert asked(**{name: ASKED[name]}) != asked()


MESSAGE: dict[str, Any] = {
    "max_tokens": 7,
    "messages": [{"role": "user", "content": "Ho"}],
    "output_config": {"effort": "low"},
    "output_format": {"type": "json_schema", "schema": WEATHER},
    "seed": 7,
    "stop_sequences": ["x"],
    "stream": True,
    "system": "Be brief.",
    "temperature": 0.1,
    "thinking": {"type": "disabled"},
    "tools": [{"name": "weather", "input_schema": WEATHER}],
    "top_k": 7,
    "top_p": 0.5,
}


def test_every_honoured_field_of_a_message_is_tried() -> None:
    assert set(MessagesBody.model_fields) == {*MESSAGE, "model", "tool_choice"}


@pytest.mark.parametrize("name", MESSAGE)
def test_an_honoured_field_changes_what_is_asked_for_a_message(name: str) -> None:
    def requested(**more: Any) -> ChatRequest:
        body = MessagesBody.model_validate({"messages": USER, "max_tokens": 5, **more})
        return to_message_request(body, Defaults())

    assert requested(**{name: MESSAGE[name]}) != requested()


ROUTES = [
    ("/v1/chat/completions", {"messages": USER}, surface.CHAT, 501),
    ("/v1/completions", {"prompt": "Hi"}, surface.TEXT, 501),
    ("/completion", {"prompt": "Hi"}, surface.TEXT, 501),
    ("/v1/responses", {"input": "Hi"}, surface.RESPONSES, 501),
    ("/v1/responses/input_tokens", {"input": "Hi"}, surface.RESPONSES, 501),
    ("/v1/messages", {"messages": USER, "max_tokens": 5}, surface.MESSAGES, 500),
    ("/v1/messages/count_tokens", {"messages": USER}, surface.MESSAGES, 500),
    ("/v1/embeddings", {"input": "Hi"}, surface.EMBEDDINGS, 501),
]


@pytest.mark.parametrize(("path", "body", "rules", "status"), ROUTES)
def test_each_route_refuses_and_passes_over_by_its_table(
    tmp_path: Path, path: str, body: dict[str, Any], rules: Surface, status: int
) -> None:
    with house(tmp_path) as services, running(services) as url, httpx.Client() as client:
        plain = dict.fromkeys(set(rules.accepted) - set(body))
        assert client.post(url + path, json={**body, **plain}).status_code == 200
        for name, refusal in rules.refused.items():
            refused = client.post(url + path, json={**body, **asking(name)})
            assert (refused.status_code, name) == (status, name)
            said = refused.json()["error"]
            assert said["message"] == f"{name} is not supported: {refusal.instead}."
            assert said["param"] == name
