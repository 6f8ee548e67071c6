"""A person's word over real HTTP, for a call that waits in the same process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import httpx
import pytest

from edge_agent.server.services import Services
from edge_agent.server.tools.bench import Bench, Listed
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import Asked
from edge_agent.tools.mcp.desk import ApprovalDesk
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually
from tests.server.fakes import FakeAgent, FakeChat


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
    assert not desk.present and not await desk.allows(asked)
    desk.look()
    assert desk.present and not await desk.allows(asked)  # it waited, and was given no word
    clock[0] += 31
    assert not desk.present


async def test_always_holds_for_later_calls_of_the_tool_and_no_other() -> None:
    desk = ApprovalDesk(wait_s=0.05)
    desk.look()
    call = asyncio.create_task(desk.allows(Asked("shop", "price", {})))
    await asyncio.sleep(0)
    desk.decide(desk.look()[0].id, allow=True, always=True)
    assert await call
    assert await desk.allows(Asked("shop", "price", {"article": "another"}))
    assert not await desk.allows(Asked("shop", "delete", {}))
