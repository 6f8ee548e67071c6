"""MCP servers and Python in the composition root, with real programs."""

from __future__ import annotations

import json
import platform
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.cli.approving import Person, at_the_terminal
from edge_agent.cli.extras import open_extras
from edge_agent.config import Settings
from edge_agent.tools.mcp.approval import DECIDED, NOBODY, Asked
from edge_agent.tools.python.syscalls import PROCESSORS
from tests.agent.fakes import FakeChat
from tests.patience import HANG_S

from .shell import ROOT, Shell, eventually

pytest.importorskip("mcp", reason="the SDK is an extra")
SHOP = str(ROOT / "tests" / "tools" / "mcp" / "shop.py")
CONFINES = sys.platform == "linux" and platform.machine() in PROCESSORS


def config(folder: Path, **more: Any) -> Path:
    file = folder / "mcp.json"
    entry = {"command": sys.executable, "args": [SHOP], **more}
    file.write_text(json.dumps({"mcpServers": {"shop": entry}}))
    return file


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder / "data", mcp_servers_config=config(folder), **more)


async def test_tools_that_ask_are_there_only_with_someone_to_ask(tmp_path: Path) -> None:
    for approver, there in ((NOBODY, False), (DECIDED, True)):
        told: list[str] = []
        async with open_extras(settings(tmp_path), FakeChat([]), told.append, approver) as extras:
            assert (extras.now()["shop_price"].for_holder("") is not None) is there
        assert ("the agent goes without" in told[0]) is not there


@pytest.mark.skipif(not CONFINES, reason="a machine that cannot confine")
async def test_python_is_there_when_asked_for_and_held(tmp_path: Path) -> None:
    told: list[str] = []
    wanted = Settings(data_dir=tmp_path, python_tool=True)
    async with open_extras(wanted, FakeChat([]), told.append) as extras:
        assert await extras.now()["PythonInterpreter"].call({"code": "print(2 ** 10)"}) == (
            "stdout:\n1024"
        )
    assert "held by seccomp" in told[0]
    async with open_extras(Settings(data_dir=tmp_path), FakeChat([]), told.append) as extras:
        assert extras.now() == {}


def test_without_a_terminal_nobody_is_asked() -> None:
    assert at_the_terminal() is NOBODY  # the tests have none


async def test_a_person_says_yes_no_or_always(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = iter(["y\n", "no\n", "", "always\n"])
    person = Person(lambda: next(said))
    price = Asked("shop", "price", {"article": "lamp"})
    assert [await person.allows(price) for _ in range(5)] == [True, False, False, True, True]
    assert not list(said)
    assert 'Call price of shop with {"article": "lamp"}?' in capsys.readouterr().err


def test_a_server_runs_tools_for_its_clients_and_stops_at_once_all_the_same(
    shell: Shell, smollm2_path: Path
) -> None:
    file = config(shell.folder)
    flags = ("--model", smollm2_path, "--ctx-size", "512", "--mcp-servers-config", file)
    with shell.serving(*flags, "--tools", "all") as server:
        names = [tool["tool"] for tool in httpx.get(f"{server.url}/tools").json()]
        assert {"search", "fetch_url", "shop_price"} < set(names)
        asked: dict[str, Any] = {"tool": "shop_price", "params": {"article": "lamp"}}
        answer = httpx.post(f"{server.url}/tools", json=asked, timeout=HANG_S).json()
        assert answer["plain_text_response"] == "1 of lamp cost 3 crowns."
        new = {"tool": "shop_restock", "params": {"article": "bell"}}
        assert httpx.post(f"{server.url}/tools", json=new, timeout=HANG_S).status_code == 200
        asked["tool"] = "shop_sell_bell"  # the server has told that it has this one too
        assert eventually(lambda: sold(f"{server.url}/tools", asked), HANG_S)
        assert asked["tool"] in [tool["tool"] for tool in httpx.get(f"{server.url}/tools").json()]
        slow = {"tool": "shop_slow", "params": {"seconds": 60}}
        url = server.url
        call = threading.Thread(target=lambda: post_and_lose(f"{url}/tools", slow))
        call.start()
        time.sleep(0.5)
        status, seconds = server.stop()
        call.join(HANG_S)
        assert (status, seconds < 20) == (0, True), seconds  # the call would take a minute


def sold(url: str, body: dict[str, Any]) -> bool:
    answer: dict[str, Any] = httpx.post(url, json=body, timeout=HANG_S).json()
    return answer.get("plain_text_response") == "1 of lamp cost 3 crowns."


def post_and_lose(url: str, body: dict[str, Any]) -> None:
    try:
        httpx.post(url, json=body, timeout=HANG_S)
    except httpx.HTTPError:
        return
