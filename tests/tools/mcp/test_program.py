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
from tests.patience import HANG_S, until

pytest.importorskip("mcp", reason="the SDK is an extra")
RUDE = str(Path(__file__).with_name("rude.py"))


def rude(how: str, where: Path, call_s: float = HANG_S) -> McpServer:
    return McpServer("rude", sys.executable, (RUDE, how, str(where)), call_s=call_s)


async def test_a_greeting_is_no_message_and_its_children_end_with_a_program(tmp_path: Path) -> None:
    link = link_to(rude("litters", tmp_path / "pid"))
    assert [tool.name for tool in await link.tools()] == ["hum"]
    assert await link.call("hum", {}) == "hum"
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    await link.close()
    await until(lambda: has_ended(child))


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_server_of_an_older_kind_says_when_it_has_other_tools(tmp_path: Path) -> None:
    link = link_to(rude("grows", tmp_path))
    await link.tools()
    assert await link.call("hum", {}) == "hum"
    await asyncio.wait_for(link.changed(), HANG_S)
    assert [tool.name for tool in await link.tools()] == ["hum", "whistle"]
    await link.close()


async def test_an_endless_message_is_not_listened_to(tmp_path: Path) -> None:
    link = link_to(rude("shouts", tmp_path))
    before = psutil.Process().memory_info().rss
    with pytest.raises(ToolError, match="rude ended during the call"):
        await link.call("hum", {})
    assert psutil.Process().memory_info().rss - before < 200 * 1024 * 1024
    await link.close()


async def test_a_program_that_does_not_hear_is_ended_with_the_calls_under_way(
    tmp_path: Path,
) -> None:
    link = link_to(rude("deaf", tmp_path))
    await link.tools()
    call = asyncio.create_task(link.call("hum", {}))
    await until(lambda: (tmp_path / "called").exists())
    began = time.monotonic()
    await link.close()
    assert time.monotonic() - began < 15  # the call would take a minute
    with pytest.raises(ToolError):
        await call
    with pytest.raises(ToolError, match="closed"):
        await link.call("hum", {})


async def test_a_call_that_takes_too_long_is_given_up_and_the_next_is_answered(
    tmp_path: Path,
) -> None:
    link = link_to(rude("forgets", tmp_path, call_s=2))
    await link.tools()
    with pytest.raises(ToolError, match=r"did not answer within 2 s"):
        await link.call("hum", {"never": True})
    assert await link.call("hum", {}) == "hum"
    await link.close()


async def test_one_that_died_says_its_last_words_and_is_started_again(tmp_path: Path) -> None:
    link = link_to(rude("dies", tmp_path))
    await link.tools()
    with pytest.raises(ToolError, match=r"ended during the call \(out of paper\)"):
        await link.call("hum", {})
    assert [tool.name for tool in await link.tools()] == ["hum"]
    await asyncio.wait_for(link.changed(), HANG_S)  # the new one may have other tools
    await link.close()


async def test_one_that_does_not_start_is_told_why(tmp_path: Path) -> None:
    sulking, ghost = rude("sulks", tmp_path), McpServer("ghost", "/no/such/program")
    for server, why in ((sulking, "closed on Sundays"), (ghost, "no program /no/such/program")):
        link = link_to(server)
        with pytest.raises(ToolError, match=why):
            await link.tools()
        await link.close()
