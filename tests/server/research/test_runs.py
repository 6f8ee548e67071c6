"""/agent/runs over a real socket, with real runs of a scripted model in a real journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import Event, Prompt
from edge_agent.errors import NotFound
from edge_agent.server.services import EngineHealth, Services
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Tool
from tests.agent.fakes import HARBOUR, FakeChat, Says, World, search
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually, leave, running

QUESTION = "Who built the smack that carried the bell?"
# one search and no more before the model is asked
PLAIN = replace(PROFILES["plain"], reads=3, follows=0)
SLOW = replace(search("bell"), wait_s=60)
Made = Callable[..., "Door"]


class HeldChat(FakeChat):
    """Says nothing until it may."""

    may_speak = False

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        while not self.may_speak:
            await asyncio.sleep(0.005)
        async for event in super().stream(prompt):
            yield event


class Door:
    """A server over the journal in a folder, and how to knock."""

    def __init__(self, url: str, service: AgentService, store: RunStore) -> None:
        self.url = url
        self.service = service
        self.store = store

    def get(self, path: str = "", **more: Any) -> httpx.Response:
        return httpx.get(f"{self.url}/agent/runs{path}", timeout=HANG_S, **more)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/agent/runs{path}", json=body or None, timeout=HANG_S)

    def run(self, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/agent/run", json={"task": QUESTION, **body}, timeout=HANG_S)

    def begin(self, **body: Any) -> str:
        """The id of a run in the background."""
        answer = self.run(background=True, **body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def has(self, n: int) -> bool:
        return len(self.get().json()["data"]) == n

    def end(self, run_id: str) -> dict[str, Any]:
        """A run when it has ended."""
        assert eventually(lambda: self.get(f"/{run_id}").json()["status"] not in GOING)
        found: dict[str, Any] = self.get(f"/{run_id}").json()
        return found


GOING = ("queued", "running")


@pytest.fixture
def door(serving: Serving, tmp_path: Path) -> Made:
    def made(chat: FakeChat | None = None, **services: Any) -> Door:
        store = RunStore(open_journal(tmp_path / "journal.sqlite"))
        world = World(HARBOUR)

        def tools_for(library: str | None) -> Mapping[str, Tool]:
            if library not in (None, "harbour"):
                raise NotFound(f"There is no library {library!r}.")
            return world.tools()

        chat = chat or FakeChat([search("Thrift builder")], ["Ane Pollock"])
        service = AgentService(chat, PLAIN, tools_for, store, None)
        return Door(serving(Services(chat, service, runs=service, **services)), service, store)

    return made


def blocks(text: str) -> Iterator[dict[str, str]]:
    """The fields of each event of a stream; comments are left out."""
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
        if fields:
            yield fields


def test_a_run_in_the_background_is_accepted_at_once_and_read_later(door: Made) -> None:
    at = door()
    answer = at.run(background=True)
    begun = answer.json()
    assert (answer.status_code, begun["status"], begun["answer"]) == (202, "queued", "")
    assert answer.headers["location"] == f"/agent/runs/{begun['id']}"
    run = at.end(begun["id"])
    assert (run["status"], run["reason"], run["answer"]) == ("completed", "answered", "Ane Pollock")
    assert list(run)[:7] == ["id", "status", "reason", "answer", "citations", "steps", "usage"]
    assert run["citations"] and run["steps"][0]["actions"]


def test_a_run_that_goes_on_shows_its_steps_so_far(door: Made) -> None:
    at = door(FakeChat([SLOW]))
    run_id = at.begin()
    assert eventually(lambda: len(at.get(f"/{run_id}").json()["steps"]) == 1)
    run = at.get(f"/{run_id}").json()
    assert (run["status"], run["reason"], run["usage"]["tool_calls"]) == ("running", None, 1)
    assert run["steps"][0]["notes"]


def test_a_background_run_survives_the_client_and_a_waiting_one_does_not(door: Made) -> None:
    at = door(FakeChat([SLOW]))
    kept = at.begin()
    for n, body in enumerate(({}, {"stream": True}, {"stream": True, "background": True}), 2):
        task = {"task": QUESTION, **body}
        leave(at.url, "/agent/run", task, once=partial(at.has, n))
    assert eventually(lambda: len(at.get("?status=cancelled").json()["data"]) == 2)
    going = [row["id"] for row in at.get().json()["data"] if row["status"] in GOING]
    assert len(going) == 2 and kept in going


def test_the_list_is_newest_first_in_pages_by_status(door: Made) -> None:
    at = door()
    ids = [at.run(task=f"{QUESTION} {i}").json()["id"] for i in range(5)][::-1]
    first = at.get("?limit=2").json()
    assert [row["id"] for row in first["data"]] == ids[:2]
    assert first["data"][0] == {
        "id": ids[0],
        "status": "completed",
        "reason": "answered",
        "task": f"{QUESTION} 4",
        "answer": "Ane Pollock",
        "model": "fake",
        "created_at": first["data"][0]["created_at"],
    }
    assert first["next"] == ids[1]
    rest = at.get(f"?limit=3&before={first['next']}").json()
    assert ([row["id"] for row in rest["data"]], rest["next"]) == (ids[2:], None)
    assert at.get("?status=failed").json() == {"object": "list", "data": [], "next": None}


def test_events_are_told_from_the_journal_and_then_live_to_the_answer(door: Made) -> None:
    chat = HeldChat([search("Thrift")], ["not found", "Ane Pollock"])
    at = door(chat)
    run_id = at.begin()
    assert eventually(lambda: len(at.get(f"/{run_id}").json()["steps"]) == 1)
    with httpx.stream("GET", f"{at.url}/agent/runs/{run_id}/events", timeout=HANG_S) as answer:
        lines = answer.iter_lines()
        first = next(lines)
        chat.may_speak = True
        live = list(blocks("\n".join([first, *lines])))
    assert live[0]["event"] == "run_started" and live[-1]["event"] == "answer"
    assert "thought_delta" in [event["event"] for event in live]
    past = list(blocks(at.get(f"/{run_id}/events").text))
    assert past == [event for event in live if "id" in event]
    for event in past:
        assert json.loads(event["data"])["type"] == event["event"]
    whole = at.get(f"/{run_id}").json()
    assert json.loads(past[-1]["data"]) == {"type": "answer", **whole}
    steps = [json.loads(event["data"]) for event in past if event["event"] == "step"]
    assert [{**step, "type": "step"} for step in whole["steps"]] == steps


def test_a_stream_goes_on_behind_the_event_that_was_seen_last(door: Made) -> None:
    at = door()
    run_id = at.begin()
    at.end(run_id)
    events = list(blocks(at.get(f"/{run_id}/events").text))
    seen = events[3]["id"]
    by_header = at.get(f"/{run_id}/events", headers={"Last-Event-ID": seen})
    by_query = at.get(f"/{run_id}/events?after={seen}")
    assert list(blocks(by_header.text)) == list(blocks(by_query.text)) == events[4:]
    # a browser that reconnects keeps its URL and adds the header
    both = at.get(f"/{run_id}/events?after=0", headers={"Last-Event-ID": seen})
    assert list(blocks(both.text)) == events[4:]
    last = at.get(f"/{run_id}/events?after={events[-1]['id']}")
    assert (last.status_code, last.text) == (204, "")  # which tells it not to come again


@pytest.mark.parametrize("seen", ["x", "-1", "1.5", "9" * 30, "٣", "1 2"])
def test_an_event_id_that_is_none_is_a_400(door: Made, seen: str) -> None:
    at = door()
    run_id = at.begin()
    headers = {"Last-Event-ID": seen.encode()}
    for answer in (
        at.get(f"/{run_id}/events", headers=headers),
        at.get(f"/{run_id}/events", params={"after": seen}),
    ):
        assert (answer.status_code, answer.json()["error"]["type"]) == (
            400,
            "invalid_request_error",
        )
        assert "is not the id of an event" in answer.json()["error"]["message"]


def test_a_stream_of_a_quiet_run_opens_at_once_and_is_kept_open(door: Made) -> None:
    at = door(FakeChat([SLOW]), heartbeat_s=0.1)
    run_id = at.begin()
    assert eventually(lambda: len(at.get(f"/{run_id}").json()["steps"]) == 1)
    last = max(event.seq for event in at.store.get(run_id).events)
    lines = 0
    with httpx.stream("GET", f"{at.url}/agent/runs/{run_id}/events?after={last}") as answer:
        for line in answer.iter_lines():
            lines += line.startswith(":")
            if lines == 3:
                break
    assert lines == 3


def test_cancelling_ends_a_run_and_its_streams(door: Made) -> None:
    at = door(FakeChat([SLOW]))
    run_id = at.begin()
    with httpx.stream("GET", f"{at.url}/agent/runs/{run_id}/events", timeout=HANG_S) as answer:
        lines = answer.iter_lines()
        next(lines)
        cancelled = at.post(f"/{run_id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert "event: answer" in list(lines)
    assert at.post(f"/{run_id}/cancel").json()["status"] == "cancelled"
    assert at.end(run_id)["reason"] == "cancelled"


def test_a_cancelled_run_is_resumed_and_a_finished_one_is_not(door: Made) -> None:
    chat = FakeChat([SLOW])
    at = door(chat)
    run_id = at.begin()
    assert eventually(lambda: len(at.get(f"/{run_id}").json()["steps"]) == 1)
    first = at.post(f"/{run_id}/cancel").json()["steps"]
    chat.script = [search("Thrift builder")]
    answer = at.post(f"/{run_id}/resume")
    assert answer.status_code == 202 and answer.json()["status"] in GOING
    run = at.end(run_id)
    assert run["status"] == "completed" and run["steps"][:1] == first
    for verb in ("resume", "cancel"):
        refused = at.post(f"/{run_id}/{verb}")
        assert refused.status_code == 409
        assert refused.json()["error"]["type"] == "conflict_error"
        assert "has ended" in refused.json()["error"]["message"]


def test_a_follow_up_is_a_run_of_its_own_that_names_the_first(door: Made) -> None:
    at = door()
    first = at.run().json()["id"]
    answer = at.post(f"/{first}/follow-up", task="And when?", limits={"steps": 4})
    assert answer.status_code == 202
    run = at.end(answer.json()["id"])
    assert (run["follows"], run["task"], run["status"]) == (first, "And when?", "completed")
    at_once = door(FakeChat([SLOW]))
    going = at_once.begin()
    refused = at_once.post(f"/{going}/follow-up", task="And when?")
    assert refused.status_code == 409 and "wait for its answer" in refused.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/nope"),
        ("get", "/nope/events"),
        ("post", "/nope/cancel"),
        ("post", "/nope/resume"),
        ("get", "?before=nope"),
    ],
)
def test_an_unknown_run_is_a_404(door: Made, method: str, path: str) -> None:
    at = door()
    answer = at.get(path) if method == "get" else at.post(path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    assert "There is no run nope" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("limit=0", "limit: Input should be greater"),
        ("limit=101", "limit: Input should be less"),
        ("limit=x", "limit: Input should be a valid integer"),
        ("status=done", "status: Input should be 'queued', 'running'"),
    ],
)
def test_a_wrong_query_is_named(door: Made, query: str, start: str) -> None:
    answer = door().get(f"?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(start)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ({"task": " "}, "task: say what is to be found out."),
        ({"task": "x", "model": "m"}, "model: there is no such field here."),
        ({"task": "x", "limits": {"steps": 0}}, "limits.steps: Input should be greater"),
        ({"task": "x", "output_schema": 3}, "output_schema: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_follow_up_is_named(door: Made, body: dict[str, Any], start: str) -> None:
    at = door()
    answer = at.post(f"/{at.run().json()['id']}/follow-up", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(start)


class Shaping(FakeChat):
    """Fills every schema that asks for a name."""

    def _next(self, request: Any) -> Says:
        if "name" in (request.response_schema or {}).get("properties", {}):
            return Says('{"name": "Ane Pollock"}')
        return super()._next(request)


def test_a_structured_answer_stands_beside_the_words(door: Made) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    at = door(Shaping([search("Thrift builder")], ["Ane Pollock"]))
    run = at.run(output_schema=schema).json()
    assert (run["answer"], run["output"]) == ("Ane Pollock", {"name": "Ane Pollock"})


@pytest.mark.parametrize("body", [{}, {"stream": True}, {"background": True}])
def test_a_schema_that_cannot_be_honoured_is_a_400_before_the_first_byte(
    door: Made, body: dict[str, Any]
) -> None:
    at = door()
    schema = {"type": "object", "description": "word " * 9000}
    answer = at.run(output_schema=schema, **body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "output_schema"
    assert at.get().json()["data"] == []


def test_a_library_that_is_not_there_is_a_404_in_the_background_too(door: Made) -> None:
    answer = door().run(background=True, library="/etc")
    assert answer.status_code == 404 and "no library" in answer.text


def test_nothing_is_resumed_or_followed_while_the_model_loads(door: Made) -> None:
    at = door(health=lambda: EngineHealth("loading"))
    at.store.create("x", QUESTION, "fake", "2026-01-01", {})
    assert at.post("/x/resume").status_code == 503
    assert at.post("/x/follow-up", task="x").status_code == 503


def test_a_server_without_runs_says_so(serving: Serving) -> None:
    service: Any = None
    url = serving(Services(FakeChat([Says()]), service))
    answer = httpx.get(f"{url}/agent/runs")
    assert answer.status_code == 501 and "keeps no runs" in answer.json()["error"]["message"]


def test_a_journal_that_cannot_be_read_is_a_sentence(door: Made) -> None:
    at = door()
    at.store._database.close()
    answer = at.get()
    assert answer.status_code == 500
    assert "cannot be used as a database" in answer.json()["error"]["message"]


def test_a_stopped_server_does_not_end_its_background_runs(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        store, world = RunStore(journal), World(HARBOUR)

        def service(chat: FakeChat) -> AgentService:
            return AgentService(chat, PLAIN, lambda _: world.tools(), store, None)

        chat = FakeChat([SLOW])
        first = service(chat)
        with running(Services(chat, first, runs=first)) as url:
            at = Door(url, first, store)
            run_id = at.begin()
            assert eventually(lambda: len(at.get(f"/{run_id}").json()["steps"]) == 1)
        assert store.get(run_id).status == "running"
