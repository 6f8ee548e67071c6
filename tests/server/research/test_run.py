"""The agent route over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from edge_agent.agent.records import (
    Answered,
    Limits,
    Note,
    NoteTaken,
    RunStarted,
    StepStarted,
    Task,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from edge_agent.errors import EngineCrashed, LibraryError, NotFound
from edge_agent.server.services import EngineHealth, Services
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually, leave
from tests.server.fakes import RUN, FakeAgent, FakeChat, Forever, Gate

EVERYTHING = (
    RunStarted("run-1", RUN.task, RUN.model),
    StepStarted(1),
    ThoughtDelta(1, "Look"),
    TextDelta(1, "I look\nit up."),
    ToolCalled(1, 1, "search", {"query": "light"}),
    ToolReturned(1, 1, "search", "2 results"),
    NoteTaken(1, Note("isle", "http://isle/light", "The light", "kept by Ada Holm")),
    Answered(RUN),
)


def post(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/agent/run", json=body, timeout=HANG_S)


def events_of(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in text.strip().split("\n\n"):
        if not block.startswith(":"):
            kind, data = block.split("\n")
            yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_run_is_one_object(serving: Serving) -> None:
    agent = FakeAgent()
    answer = post(serving(Services(FakeChat(), agent)), task="Who keeps the light?")
    run = answer.json()
    assert answer.status_code == 200
    assert list(run)[:7] == ["id", "status", "reason", "answer", "citations", "steps", "usage"]
    assert (run["reason"], run["answer"], run["model"]) == ("answered", "Ada Holm", "fake-1b")
    assert run["citations"] == [
        {
            "source": "isle",
            "url": "http://isle/light",
            "title": "The light",
            "quote": "kept by Ada Holm",
        }
    ]
    assert run["steps"][0]["thought"] == "Look it up." and run["usage"]["tool_calls"] == 1
    assert agent.tasks == [Task("Who keeps the light?")]
    assert agent.script.closed == 1


def test_everything_that_happens_is_an_event(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent(EVERYTHING)))
    answer = post(url, task="x", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = list(events_of(answer.text))
    assert [kind for kind, _ in events] == [
        "run_started",
        "step_started",
        "thought_delta",
        "text_delta",
        "tool_call",
        "tool_result",
        "note",
        "answer",
    ]
    assert all(data["type"] == kind for kind, data in events)
    assert events[3][1]["text"] == "I look\nit up."
    assert events[4][1]["arguments"] == {"query": "light"}
    assert events[6][1]["url"] == "http://isle/light"
    whole = post(serving(Services(FakeChat(), FakeAgent(EVERYTHING))), task="x").json()
    assert events[-1][1] == {"type": "answer", **whole}


def test_limits_that_are_not_given_keep_their_defaults(serving: Serving) -> None:
    agent = FakeAgent()
    url = serving(Services(FakeChat(), agent))
    post(url, task="x", limits={"steps": 3, "seconds": 10}, library="isle", model="auto")
    post(url, task="x", limits={}, model="fake-1b")
    assert agent.tasks[0] == Task("x", None, Limits(3, Limits().tokens, 10), "isle")
    assert agent.tasks[1] == Task("x", "fake-1b")


@pytest.mark.parametrize("library", ["../secrets", "/etc", "C:\\x"])
def test_a_library_is_only_ever_a_name(serving: Serving, library: str) -> None:
    agent = FakeAgent([NotFound(f"There is no library {library!r}: there is isle.")])
    answer = post(serving(Services(FakeChat(), agent)), task="x", library=library, stream=True)
    assert (answer.status_code, agent.tasks[0].library) == (404, library)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ({}, "task: this field is required."),
        ({"task": "  "}, "task: say what is to be found out."),
        ({"task": 5}, "task: Input should be a valid string."),
        ({"task": "x", "limits": {"steps": 0}}, "limits.steps: Input should be greater"),
        ({"task": "x", "limits": {"tokens": "9"}}, "limits.tokens: Input should be a valid"),
        ({"task": "x", "limits": {"seconds": 0}}, "limits.seconds: Input should be greater"),
        ({"task": "x", "limits": {"step": 3}}, "limits.step: there is no such field here."),
        ({"task": "x", "limits": 3}, "limits: Input should be"),
        ({"task": "x", "libary": "isle"}, "libary: there is no such field here."),
    ],
)
def test_a_wrong_field_is_named(serving: Serving, body: dict[str, Any], start: str) -> None:
    agent = FakeAgent()
    answer = post(serving(Services(FakeChat(), agent)), **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["message"].startswith(start) and not agent.tasks


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no library"), 404),
        (LibraryError("The library isle is empty."), 502),
        (EngineCrashed("died"), 503),
    ],
)
def test_an_error_before_the_run_starts_is_a_status(
    serving: Serving, error: Exception, status: int, stream: bool
) -> None:
    answer = post(serving(Services(FakeChat(), FakeAgent([error]))), task="x", stream=stream)
    assert answer.status_code == status and answer.json()["error"]["message"] == str(error)


def test_an_error_in_a_run_is_its_last_event(serving: Serving) -> None:
    agent = FakeAgent([EVERYTHING[0], EngineCrashed("The engine died.")])
    answer = post(serving(Services(FakeChat(), agent)), task="x", stream=True)
    kind, data = list(events_of(answer.text))[-1]
    assert (kind, data["type"], data["error"]["code"]) == ("error", "error", 503)


def test_a_run_that_ends_without_an_answer_is_an_error(serving: Serving) -> None:
    answer = post(serving(Services(FakeChat(), FakeAgent([StepStarted(1)]))), task="x")
    assert answer.status_code == 500 and "without an answer" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_cancels_the_run(serving: Serving, stream: bool) -> None:
    agent = FakeAgent([EVERYTHING[0], Forever(StepStarted(1))])
    url = serving(Services(FakeChat(), agent))
    body = {"task": "x", "stream": stream}
    if stream:
        with httpx.stream("POST", f"{url}/agent/run", json=body) as answer:
            lines = answer.iter_lines()  # held: a dropped iterator closes the connection
            next(lines)
            assert agent.script.open == 1
    else:
        leave(url, "/agent/run", body, once=lambda: agent.script.open == 1)
    assert eventually(lambda: agent.script.closed == 1)


def test_a_quiet_run_is_kept_open_by_comments(serving: Serving) -> None:
    gate, comments = Gate(), 0
    agent = FakeAgent([EVERYTHING[0], gate, Answered(RUN)])
    url = serving(Services(FakeChat(), agent, heartbeat_s=0.05)) + "/agent/run"
    body = {"task": "x", "stream": True}
    with httpx.stream("POST", url, json=body, timeout=HANG_S) as answer:
        for line in answer.iter_lines():
            comments += line == ": still here"
            gate.is_open = comments >= 2
    assert comments >= 2


def test_another_model_is_not_found(serving: Serving) -> None:
    answer = post(serving(Services(FakeChat(), FakeAgent())), task="x", model="gpt-9")
    assert answer.status_code == 404 and "fake-1b" in answer.json()["error"]["message"]


def test_a_run_waits_for_no_model_that_is_loading(serving: Serving) -> None:
    services = Services(FakeChat(), FakeAgent(), health=lambda: EngineHealth("loading"))
    assert post(serving(services), task="x").status_code == 503
