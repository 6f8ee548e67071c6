"""The battery: that its tools are sound, and that it sees what it is there to see."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import jsonschema
import pytest

from benchmarks.tool_battery import CHOICES, Row, battery, is_good, requests, table
from benchmarks.tool_calls import Answer, Call, ask, faults_of, folded
from benchmarks.tool_schemas import CASES, Case
from edge_agent.bench.http import http_client
from edge_agent.chat.messages import ChatRequest, Done, Event, NamedTool, Prompt, Text, ToolCall
from edge_agent.engine.params import GenerateParams
from edge_agent.server.services import Services
from tests.server.conftest import running
from tests.server.fakes import USAGE, FakeAgent, FakeChat, Script


class CallingChat(FakeChat):
    """Calls the first tool of a request with the sample of its case, or with what it was told.

    `says` replaces the arguments; `silent` makes it answer in words; `other` calls the second tool.
    """

    def __init__(self, says: str | None = None, silent: bool = False, other: bool = False) -> None:
        super().__init__()
        self._says = says
        self._silent = silent
        self._other = other

    def prepare(self, request: ChatRequest) -> Prompt:
        self.requests.append(request)
        return Prompt((1,), GenerateParams(), request=request)

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        assert prompt.request is not None
        return Script(self._items(prompt.request)).play()

    def _items(self, asked: ChatRequest) -> Sequence[Event]:
        if self._silent:
            return Text("No."), Done("length", USAGE)
        name = asked.tools[self._other].name
        sample = next((case.sample for case in CASES if case.name == name), {})
        said = self._says if self._says is not None else json.dumps(sample, ensure_ascii=False)
        return ToolCall("call_1", name, said), Done("tool_calls", USAGE)


async def rows(chat: FakeChat, cases: Sequence[Case] = CASES[:2]) -> tuple[list[Row], list[str]]:
    """The battery over a server with this chat, and what was said."""
    said: list[str] = []
    with running(Services(chat, FakeAgent())) as url:
        async with http_client() as client:
            return await battery(url, "fake", "fake-1b", client, said.append, cases), said


@pytest.mark.parametrize("case", CASES, ids=[case.hard for case in CASES])
def test_a_sample_is_valid_and_a_wrong_one_is_not(case: Case) -> None:
    jsonschema.Draft202012Validator.check_schema(case.parameters)
    for arguments, is_right in ((case.sample, True), (case.wrong, False)):
        call = Call(case.name, json.dumps(arguments), "1")
        assert (faults_of(call, [case.tool]) == []) is is_right


def test_there_are_two_hundred_requests_for_two_models() -> None:
    each = list(requests())
    assert 2 * len(each) >= 200
    assert len({(r.case.name, r.question, r.choice, r.streamed) for r in each}) == len(each)
    assert len(CASES) == 10


async def test_right_calls_are_right_in_every_row() -> None:
    chat = CallingChat()
    found, said = await rows(chat, CASES)
    assert said == [] and all(is_good(row) for row in found)
    assert [row.choice for row in found] == list(CHOICES)
    assert {(r.requests, r.called, r.calls, r.valid) for r in found} == {(40, 40, 40, 40)}
    named = {r.tool_choice.name for r in chat.requests if isinstance(r.tool_choice, NamedTool)}
    assert named == {case.name for case in CASES}


@pytest.mark.parametrize(
    ("chat", "fault", "auto_is_good"),
    [
        (CallingChat('{"a": '), "not JSON", False),
        (CallingChat('{"a": 1}'), "not valid", False),
        (CallingChat(silent=True), "cut off before the call was whole", True),
        (FakeChat([RuntimeError("boom")]), "status 500", True),
    ],
)
async def test_what_is_wrong_is_counted(chat: FakeChat, fault: str, auto_is_good: bool) -> None:
    auto, required, named = (await rows(chat))[0]
    assert required.faults == named.faults == {fault: 8}
    assert (is_good(auto), is_good(required), is_good(named)) == (auto_is_good, False, False)


async def test_another_tool_is_a_fault_only_where_one_was_named() -> None:
    auto, required, named = (await rows(CallingChat(other=True)))[0]
    assert (auto.faults, required.faults) == ({}, {})
    assert named.faults == {"another tool than the named one": 8}


def delta(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(calls)}, **more}]}


def test_the_pieces_of_streamed_calls_are_put_together_by_their_index() -> None:
    answer = folded(
        [
            delta({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}),
            delta({"index": 1, "id": "b", "function": {"name": "g", "arguments": "[1"}}),
            delta({"index": 0, "function": {"arguments": '{"x":'}}),
            delta({"index": 0, "function": {"arguments": "1}"}}, finish_reason="length"),
            {"choices": []},
        ]
    )
    assert answer.calls == [Call("f", '{"x":1}', "a"), Call("g", "[1", "b")]
    assert answer.is_cut


def test_a_call_that_the_limit_of_tokens_cut_off_is_none() -> None:
    whole, part = Call("f", "{}", "a"), Call("f", '{"x": "y', "b")
    assert Answer([whole, part], is_cut=True).settled().calls == [whole]
    assert Answer([whole], is_cut=True).settled().calls == [whole]
    assert Answer([whole, part]).settled().calls == [whole, part]


async def test_a_server_that_is_not_there_is_an_answer_with_an_error() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await ask(client, "http://127.0.0.1:9/v1/chat/completions", {})
    assert answer.error and not answer.calls


def test_the_table_has_a_line_for_each_row() -> None:
    row = Row("ours", "m", "auto", 4, 2, 3, 2, 0, {"not JSON": 1})
    lines = table([row]).splitlines()
    assert len(lines) == 3
    assert lines[2] == "| ours | m | auto | 4 | 2 | 3 | 2 | 0 | 1 not JSON |"
