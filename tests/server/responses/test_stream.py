"""The events of a stream: all of them, in OpenAI's order, numbered without a gap."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.messages import (
    CallPiece,
    Cited,
    Done,
    Event,
    Progress,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from edge_agent.engine.params import Usage
from edge_agent.errors import EngineCrashed
from edge_agent.server.responses.machine import Machine, Telling
from tests.server.fakes import USAGE, FakeChat, Pause
from tests.server.responses.conftest import Client

BASE = {"id": "resp_1", "object": "response", "status": "in_progress", "output": [], "usage": None}
ARGUMENTS = '{"town":"Oban"}'
EVERYTHING: tuple[Event, ...] = (
    Thought("Hm"),
    Thought("m"),
    Text("\n"),
    Text("Hello"),
    Text(" there"),
    CallPiece("call_1", "weather"),
    CallPiece("call_1", arguments='{"town":'),
    CallPiece("call_1", arguments='"Oban"}'),
    ToolCall("call_1", "weather", ARGUMENTS),
    Done("tool_calls", USAGE),
)
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.reasoning_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
]


def told(*events: Event, telling: Telling | None = None) -> list[dict[str, Any]]:
    machine = Machine(BASE, telling or Telling())
    all_of_them = [*machine.begin(), *machine.start()]
    for event in events:
        all_of_them += machine.feed(event)
    return all_of_them


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_every_event_comes_in_its_place() -> None:
    assert kinds(told(*EVERYTHING)) == ORDER


def test_events_are_numbered_without_a_gap() -> None:
    events = told(*EVERYTHING)
    assert [event["sequence_number"] for event in events] == list(range(len(ORDER)))


def test_deltas_of_an_item_add_up_to_what_it_is_when_done() -> None:
    events = told(*EVERYTHING)
    final = events[-1]["response"]["output"]
    for index, item in enumerate(final):
        mine = [e for e in events if e.get("output_index") == index]
        deltas = "".join(e["delta"] for e in mine if e["type"].endswith(".delta"))
        said = item.get("arguments") or item["content"][0]["text"]
        assert deltas == said
        assert mine[0]["item"]["id"] == mine[-1]["item"]["id"] == item["id"]
        assert mine[-1]["item"] == item
        assert all(e["item_id"] == item["id"] for e in mine if "item_id" in e)


def test_an_item_begins_empty_and_in_progress() -> None:
    added = [e["item"] for e in told(*EVERYTHING) if e["type"] == "response.output_item.added"]
    assert [item["status"] for item in added] == ["in_progress"] * 3
    assert [item.get("content", item.get("arguments")) for item in added] == [[], [], ""]


PIECES = st.one_of(
    st.builds(Thought, st.sampled_from(["", " ", "\n", "Hm", " so "])),
    st.builds(Text, st.sampled_from(["", " ", "\n\n", "Hello", " there"])),
    st.builds(CallPiece, st.sampled_from(["c1", "c2"]), st.just("f"), st.sampled_from(["", "{"])),
    st.builds(ToolCall, st.sampled_from(["c3", "c4"]), st.just("f"), st.just("{}")),
    st.builds(Progress, st.integers(0, 20), st.just(USAGE)),
)


@given(
    st.lists(PIECES, max_size=12), st.sampled_from(["stop", "length"]), st.booleans(), st.booleans()
)
def test_any_chat_becomes_a_stream_that_keeps_the_rules(
    pieces: list[Event], reason: Any, as_summary: bool, telemetry: bool
) -> None:
    telling = Telling(as_summary, False, telemetry, telemetry)
    events = told(*pieces, Done(reason, USAGE), telling=telling)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    whole = reason == "stop" or telemetry  # llama-server tells both ends alike
    assert kinds(events)[-1] == ("response.completed" if whole else "response.incomplete")
    assert events[-1]["response"]["status"] == ("completed" if reason == "stop" else "incomplete")
    added = [e["output_index"] for e in events if e["type"] == "response.output_item.added"]
    done = [e["output_index"] for e in events if e["type"] == "response.output_item.done"]
    assert added == done == list(range(len(added)))  # one after the other, each to its end
    ended = {e["item"]["id"]: e["item"] for e in events if e["type"].endswith("output_item.done")}
    for item in events[-1]["response"]["output"]:
        assert item == ended[item["id"]]
        assert item["status"] == "completed" or reason == "length"
    said = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    written = "".join(p.text for p in pieces if isinstance(p, Text))
    assert "".join(said.split()) == "".join(written.split())


def test_thoughts_told_as_a_summary_have_the_events_of_one() -> None:
    events = told(Thought("Hm"), Done("stop", USAGE), telling=Telling(as_summary=True))
    assert kinds(events)[2:8] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]
    assert events[4]["summary_index"] == 0 and "content_index" not in events[4]


def test_a_call_told_whole_has_one_delta() -> None:
    events = told(ToolCall("call_1", "weather", ARGUMENTS), Done("tool_calls", USAGE))
    deltas = [e["delta"] for e in events if e["type"].endswith("arguments.delta")]
    assert deltas == [ARGUMENTS]


def test_a_call_that_never_came_whole_is_not_to_be_made() -> None:
    done = Done("stop", USAGE, malformed="{oops: it is not JSON")
    events = told(CallPiece("call_1", "weather"), CallPiece("call_1", arguments="{oops"), done)
    ended = next(e["item"] for e in events if e["type"] == "response.output_item.done")
    assert ended["status"] == "incomplete"
    response = events[-1]["response"]
    assert (response["status"], response["output"]) == ("completed", [])
    assert response["malformed_tool_call"] == "{oops: it is not JSON"


def test_what_a_text_cites_is_told_behind_it_by_its_place_in_the_whole() -> None:
    cited = Text("Ada [1]", citations=(Cited(4, 7, "http://isle/", "The isle"),))
    events = told(Text("Ask "), cited, Done("stop", USAGE))
    added = next(e for e in events if e["type"].endswith("annotation.added"))
    wanted = {
        "type": "url_citation",
        "start_index": 8,
        "end_index": 11,
        "url": "http://isle/",
        "title": "The isle",
    }
    assert added["annotation"] == wanted
    part = events[-1]["response"]["output"][0]["content"][0]
    assert part["annotations"] == [wanted]
    assert part["text"][8:11] == "[1]"


def test_progress_and_timings_go_with_the_events_where_they_are_asked_for() -> None:
    computing = Progress(8, Usage(prompt_tokens=20, cached_tokens=5, prompt_s=0.1))
    writing = Progress(20, Usage(prompt_tokens=20, completion_tokens=1, prompt_s=0.2))
    events = (computing, writing, Text("Hi"), Done("stop", USAGE))
    wanting = told(*events, telling=Telling(progress=True, timings=True))
    assert kinds(wanting)[2] == "response.in_progress"
    progress = wanting[2]["prompt_progress"]
    assert (progress["total"], progress["cache"], progress["processed"]) == (20, 5, 8)
    delta = next(e for e in wanting if e["type"] == "response.output_text.delta")
    assert delta["timings"]["predicted_n"] == 1
    assert wanting[-1]["timings"]["predicted_n"] == 4
    assert not any("prompt_progress" in e for e in told(*events))


def test_logprobs_go_with_the_deltas() -> None:
    text = Text("Hi", logprobs=(TokenLogprob(b"Hi", -0.5),))
    events = told(text, Done("stop", USAGE), telling=Telling(logprobs=True))
    delta = next(e for e in events if e["type"] == "response.output_text.delta")
    assert delta["logprobs"][0]["logprob"] == -0.5
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == delta["logprobs"]


def test_the_client_folds_the_stream_to_the_response(client: Client) -> None:
    with client(FakeChat(EVERYTHING)).responses.stream(model="x", input="Weather?") as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert seen == ORDER
    assert final.output_text == "\nHello there"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_the_client_parses_a_text_that_a_schema_holds(client: Client) -> None:
    chat = FakeChat([Text('{"a"'), Text(":1}"), Done("stop", USAGE)])
    answer = client(chat).responses.create(model="x", input="Hi", text={"format": SCHEMA})  # type: ignore[call-overload]
    assert json.loads(answer.output_text) == {"a": 1}


SCHEMA = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}


def test_a_stream_names_its_events_and_ends_without_a_mark(client: Client) -> None:
    url = f"{client().base_url}responses"
    text = httpx.post(url, json={"model": "x", "input": "Hi", "stream": True}).text
    blocks = text.strip().split("\n\n")
    for block in blocks:
        name, data = block.split("\n")
        assert name.removeprefix("event: ") == json.loads(data.removeprefix("data: "))["type"]
    assert "response.completed" in blocks[-1]


def test_an_engine_that_dies_fails_the_response_in_the_stream(client: Client) -> None:
    chat = FakeChat([Text("Hel"), Pause(0.1), EngineCrashed("The engine died.")])
    mine = client(chat)
    events = list(mine.responses.create(model="x", input="Hi", stream=True))
    failed = events[-1]
    assert failed.type == "response.failed" and failed.response.error
    assert failed.response.error.message == "The engine died."
    assert failed.response.status == "failed" and failed.response.output_text == "Hel"
    assert [e.type for e in events][-2] == "response.output_item.done"
    assert mine.responses.retrieve(failed.response.id).status == "failed"


def test_an_engine_that_dies_is_a_status_where_nothing_is_streamed(client: Client) -> None:
    chat = FakeChat([Text("Hel"), EngineCrashed("The engine died.")])
    with pytest.raises(openai.InternalServerError) as caught:
        client(chat).responses.create(model="x", input="Hi")
    assert caught.value.status_code == 503


def test_a_defect_ends_the_stream_with_an_error_that_tells_nothing(client: Client) -> None:
    chat = FakeChat([Text("Hel"), Pause(0.1), ValueError("a secret")])
    url = f"{client(chat).base_url}responses"
    text = httpx.post(url, json={"model": "x", "input": "Hi", "stream": True}).text
    last = json.loads(text.strip().split("data: ")[-1])
    assert last["type"] == "error" and "secret" not in text
    assert last["sequence_number"] == text.count("data: ") - 1
