"""A person's word over real HTTP, for a call that waits in the same process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.runs.service import AgentService
from edge_agent.server.services import Services
from edge_agent.server.tools.bench import Bench, Listed
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import Asked
from edge_agent.tools.mcp.desk import ApprovalDesk
from edge_agent.tools.mcp.tool import McpTool
from tests.agent.fakes import FakeChat as ScriptedChat
from tests.agent.fakes import Says
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually
from tests.server.fakes import FakeAgent, FakeChat
from tests.tools.mcp.fakes import PRICE, FakeLink


@pytest.fixture
def desk() -> ApprovalDesk:
    return ApprovalDesk(wait_s=HANG_S)


@pytest.fixture
def url(serving: Serving, desk: ApprovalDesk) -> str:
    async def asks(article: str) -> bool:
        """Waits for a word."""
        return await desk.allows(Asked("shop", "price", {"article": article}))

    bench = Bench({"asks": Listed(Tool.of(asks), "mcp")})
    return serving(Services(FakeChat(), FakeAgent(), tools=bench, approvals=desk))


def asking(url: str) -> Future[str]:
    """What comes of a call that waits, in a thread of its own."""
    result: Future[str] = Future()

    def call() -> None:
        body = {"tool": "asks", "params": {"article": "lamp"}}
        result.set_result(httpx.post(f"{url}/tools", json=body, timeout=HANG_S).json()["result"])

    threading.Thread(target=call).start()
    return result


@pytest.mark.parametrize("word", [True, False])
def test_a_call_waits_for_a_word_and_goes_on_with_it(url: str, word: bool) -> None:
    assert httpx.get(f"{url}/tools/approvals").json() == []
    result = asking(url)
    assert eventually(lambda: bool(httpx.get(f"{url}/tools/approvals").json()))
    (call,) = httpx.get(f"{url}/tools/approvals").json()
    assert (call["server"], call["tool"], call["arguments"]) == (
        "shop",
        "price",
        {"article": "lamp"},
    )
    decided = httpx.post(f"{url}/tools/approvals/{call['id']}", json={"allow": word})
    assert decided.json() == {"id": call["id"], "allow": word}
    assert result.result(HANG_S) is word
    again = httpx.post(f"{url}/tools/approvals/{call['id']}", json={"allow": True})
    assert again.status_code == 404 and httpx.get(f"{url}/tools/approvals").json() == []


def test_where_no_tool_asks_the_routes_say_so(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    assert httpx.get(f"{url}/tools/approvals").status_code == 501
    assert httpx.post(f"{url}/tools/approvals/x", json={"allow": True}).status_code == 501


async def test_nobody_is_there_until_someone_has_looked() -> None:
    clock = [100.0]
    desk = ApprovalDesk(wait_s=0.05, now=lambda: clock[0])
    asked = Asked("shop", "price", {})
    assert not desk.is_there("") and not await desk.allows(asked)
    desk.look()
    assert desk.is_there("") and not await desk.allows(asked)  # it waited, and was given no word
    clock[0] += 31
    assert not desk.is_there("")


async def test_always_holds_for_later_calls_of_the_tool_and_no_other() -> None:
    desk = ApprovalDesk(wait_s=0.05)
    desk.look()
    call = asyncio.create_task(desk.allows(Asked("shop", "price", {})))
    await asyncio.sleep(0)
    desk.decide(desk.look()[0].id, allow=True, always=True)
    assert await call
    assert await desk.allows(Asked("shop", "price", {"article": "another"}))
    assert not await desk.allows(Asked("shop", "delete", {}))


KEYS = ("one", "two")
BUY = Says(calls=(("shop_price", {"article": "lamp"}),))
TOLD = Says("It is <answer>3 crowns</answer>")


def asked_by(url: str, key: str, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, url + path, json=body, headers=headers, timeout=HANG_S)


@pytest.fixture
def shop(serving: Serving, desk: ApprovalDesk, tmp_path: Path) -> Iterator[tuple[str, FakeLink]]:
    """A server with two keys, whose agent calls a tool that asks; and where the calls arrive."""
    link = FakeLink()
    price = McpTool.over("shop", PRICE, link, "ask", desk)
    chat = ScriptedChat([BUY, TOLD])
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        store = RunStore(journal)
        runs = AgentService(chat, PROFILES["qwen"], lambda _: {price.name: price}, store, None)
        services = Services(FakeChat(), runs, runs=runs, api_keys=KEYS, approvals=desk)
        yield serving(services), link


def run_of(url: str, key: str) -> str:
    body = {"task": "What is a lamp?", "background": True}
    return str(asked_by(url, key, "POST", "/agent/run", body).json()["id"])


def ended(url: str, key: str, run: str) -> dict[str, Any]:
    def now() -> dict[str, Any]:
        found: dict[str, Any] = asked_by(url, key, "GET", f"/agent/runs/{run}").json()
        return found

    assert eventually(lambda: now()["status"] not in ("queued", "running"))
    return now()


def test_a_key_sees_and_decides_the_calls_of_its_own_runs_only(shop: tuple[str, FakeLink]) -> None:
    url, link = shop
    for key in KEYS:  # both are there
        assert asked_by(url, key, "GET", "/tools/approvals").json() == []
    run = run_of(url, "one")
    assert eventually(lambda: bool(asked_by(url, "one", "GET", "/tools/approvals").json()))
    (call,) = asked_by(url, "one", "GET", "/tools/approvals").json()
    assert set(call) == {"id", "since", "server", "tool", "arguments"}
    assert asked_by(url, "two", "GET", "/tools/approvals").json() == []
    foreign, unknown = (
        asked_by(url, "two", "POST", f"/tools/approvals/{id}", {"allow": True})
        for id in (call["id"], "ask_nothing")
    )
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.text.replace(call["id"], "ask_nothing") == unknown.text
    assert link.called == []
    path = f"/tools/approvals/{call['id']}"
    assert asked_by(url, "one", "POST", path, {"allow": True}).status_code == 200
    assert ended(url, "one", run)["answer"] == "3 crowns"
    assert link.called == [("price", {"article": "lamp"})]


def test_who_looks_is_there_for_its_own_runs_only(shop: tuple[str, FakeLink]) -> None:
    url, link = shop
    assert asked_by(url, "two", "GET", "/tools/approvals").json() == []
    run = run_of(url, "one")  # goes without the tool, and waits for nobody
    steps = ended(url, "one", run)["steps"]
    assert link.called == [] and "There is no tool" in steps[0]["actions"][0]["error"]


async def test_always_holds_for_the_runs_of_who_said_so() -> None:
    desk = ApprovalDesk(wait_s=0.05)
    desk.look(("one", "two"))
    mine = Asked("shop", "price", {}, "one")
    call = asyncio.create_task(desk.allows(mine))
    await asyncio.sleep(0)
    desk.decide(desk.look(("one",))[0].id, allow=True, always=True, holders=("one",))
    assert await call and await desk.allows(mine)
    assert not await desk.allows(Asked("shop", "price", {}, "two"))
