"""Programs that misbehave: what they do stays theirs, and ends when we do."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.extra import link_to
from edge_agent.tools.mcp.servers import McpServer

pytest.importorskip("mcp", reason="the SDK is an extra")
RUDE = str(Path(__file__).with_name("rude.py"))


def rude(how: str, where: Path) -> McpServer:
    return McpServer("rude", sys.executable, (RUDE, how, str(where)), call_s=20)


async def test_a_greeting_is_no_message_and_its_children_end_with_a_program(tmp_path: Path) -> None:
    link = link_to(rude("litters", tmp_path / "pid"))
    assert [tool.name for tool in await link.tools()] == ["hum"]
    assert await link.call("hum", {}) == "hum"
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    await link.close()
    for _ in range(100):
        if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the child lives on")


async def test_an_endless_message_is_not_listened_to(tmp_path: Path) -> None:
    link = link_to(rude("shouts", tmp_path))
    before = psutil.Process().memory_info().rss
    with pytest.raises(ToolError, match="rude ended during the call"):
        await link.call("hum", {})
    assert psutil.Process().memory_info().rss - before < 200 * 1024 * 1024
    await link.close()


async def test_a_program_that_does_not_hear_is_ended_all_the_same(tmp_path: Path) -> None:
    link = link_to(rude("deaf", tmp_path))
    await link.tools()
    call = asyncio.create_task(link.call("hum", {}))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await link.close()
    assert time.monotonic() - began < 2.5
    with pytest.raises(ToolError):
        await call
