"""GET and POST /tools over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from edge_agent.errors import ConfigError
from edge_agent.server.services import Services
from edge_agent.server.tools.bench import Bench, Listed, chosen
from tests.agent.fakes import HARBOUR, World
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

from .fakes import DAWDLE, FAIL

OWN = [Listed(tool, "builtin") for tool in World(HARBOUR).tools().values()]
THEIRS = [Listed(FAIL, "mcp", "Fails", writes=True), Listed(DAWDLE, "mcp")]


@pytest.fixture
def url(serving: Serving) -> str:
    return serving(Services(FakeChat(), FakeAgent(), tools=chosen(["all"], OWN, lambda: THEIRS)))


def run(url: str, tool: str, params: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    return httpx.post(f"{url}/tools", json={"tool": tool, "params": params or {}, **more})


def test_tools_are_listed_as_chat_completions_take_them(url: str) -> None:
    listed = {tool["tool"]: tool for tool in httpx.get(f"{url}/tools").json()}
    assert list(listed) == ["search", "fetch_url", "fail", "dawdle"]
    assert (listed["search"]["type"], listed["fail"]["type"]) == ("builtin", "mcp")
    assert listed["fail"]["display_name"] == "Fails"
    assert listed["fail"]["permissions"] == {"write": True}
    definition = listed["search"]["definition"]
    assert definition["type"] == "function"
    assert {"name", "description", "parameters"} == set(definition["function"])
    assert definition["function"]["parameters"]["properties"]["query"]["type"] == "array"


def test_a_tool_is_run_and_says_what_it_found(url: str) -> None:
    found = run(url, "search", {"query": ["carried"]}).json()
    assert "http://h/bell" in found["plain_text_response"]
    assert found["result"][0]["hits"][0]["url"] == "http://h/bell"
    read = run(url, "fetch_url", {"url": ["http://h/bell"], "purpose": "x"}).json()
    assert "210 kilograms" in read["plain_text_response"]


def test_what_a_tool_cannot_do_is_told_with_status_200(url: str) -> None:
    answer = run(url, "fail", {"what": "the till"})
    assert (answer.status_code, answer.json()) == (200, {"error": "the till is out of order."})
    wrong = run(url, "search", {"query": {}})
    assert wrong.status_code == 200 and "query" in wrong.json()["error"]


def test_a_stream_ends_with_done(url: str) -> None:
    answer = run(url, "search", {"query": ["carried"]}, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, done = (json.loads(line[6:]) for line in answer.text.splitlines() if line)
    assert done == {"done": True}
    assert "http://h/bell" in "".join(event["chunk"] for event in chunks)
    failed = run(url, "fail", stream=True)
    assert '"done":true,"error":"it is out of order."' in failed.text


def test_an_unknown_tool_a_broken_body_and_a_runtime_are_refused(url: str) -> None:
    assert run(url, "exec_shell_command", {"command": "id"}).status_code == 404
    assert httpx.post(f"{url}/tools", json={"params": {}}).status_code == 400
    body, elsewhere = {"tool": "search"}, {"x-tool-runtime": "docker-container:x"}
    assert httpx.post(f"{url}/tools", json=body, headers=elsewhere).status_code == 501


def test_without_the_flag_no_tool_is_run(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    for answer in (httpx.get(f"{url}/tools"), run(url, "search", {"query": ["x"]})):
        assert answer.status_code == 501 and "--tools" in answer.json()["error"]["message"]


def test_the_flag_names_tools_or_all_and_knows_no_others() -> None:
    assert chosen([], OWN, lambda: THEIRS) is None
    assert names(chosen(["search"], OWN)) == ["search"]
    assert names(chosen(["search"], OWN, lambda: THEIRS)) == ["search", "fail", "dawdle"]
    assert names(chosen(["all"], OWN, lambda: THEIRS)) == ["search", "fetch_url", "fail", "dawdle"]
    with pytest.raises(ConfigError, match="no tool exec_shell_command here; there is all, search"):
        chosen(["exec_shell_command"], OWN, lambda: THEIRS)


def names(bench: Bench | None) -> list[str]:
    assert bench is not None
    return list(bench.listed)


def test_tools_that_come_and_go_are_listed_and_run_as_they_are_now(serving: Serving) -> None:
    theirs = list(THEIRS)
    url = serving(Services(FakeChat(), FakeAgent(), tools=chosen(["search"], OWN, lambda: theirs)))
    theirs[:] = [THEIRS[1]]
    assert [tool["tool"] for tool in httpx.get(f"{url}/tools").json()] == ["search", "dawdle"]
    assert run(url, "fail").status_code == 404
    theirs.append(THEIRS[0])
    assert run(url, "fail").json() == {"error": "it is out of order."}
