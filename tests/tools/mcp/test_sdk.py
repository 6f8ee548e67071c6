"""The client against servers made with the official SDK: real programs, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.extra import link_to
from edge_agent.tools.mcp.link import Link
from edge_agent.tools.mcp.servers import McpServer

pytest.importorskip("mcp", reason="the SDK is an extra")
SHOP = str(Path(__file__).with_name("shop.py"))


def shop(*args: str, **more: Any) -> McpServer:
    return McpServer("shop", sys.executable, (SHOP, *args), **more)


@asynccontextmanager
async def linked(server: McpServer) -> AsyncIterator[Link]:
    link = link_to(server)
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A shop that answers over streamable HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, SHOP, "http", str(port)]) as program:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline and program.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
        program.kill()


async def test_tools_over_stdio_are_listed_called_and_read_as_text() -> None:
    async with linked(shop()) as link:
        tools = {tool.name: tool for tool in await link.tools()}
        assert tools["price"].description == "What some pieces of an article cost."
        assert tools["price"].parameters["properties"]["pieces"]["type"] == "integer"
        said = await link.call("price", {"article": "lamp", "pieces": 2})
        assert said == "2 of lamp cost 6 crowns."
        assert "7" in await link.call("stock", {"article": "lamp"})
        picture = await link.call("picture", {})
        assert picture.startswith("A lamp.") and "image/png" in picture and "left out" in picture


async def test_the_same_over_streamable_http(address: str) -> None:
    async with linked(McpServer("shop", url=address)) as link:
        assert "price" in {tool.name for tool in await link.tools()}
        said = await link.call("price", {"article": "lamp"})
        assert said == "1 of lamp cost 3 crowns."
        calls = (link.call("price", {"article": f"a{n}"}) for n in range(10))
        assert [s.split()[2] for s in await asyncio.gather(*calls)] == [f"a{n}" for n in range(10)]


async def test_failures_are_sentences_to_read(address: str) -> None:
    for server in (shop(), McpServer("shop", url=address)):
        async with linked(server) as link:
            await link.tools()
            with pytest.raises(ToolError, match="the till is stuck"):
                await link.call("broken", {})
            with pytest.raises(ToolError, match=r"price: pieces: 'two' is not"):
                await link.call("price", {"article": "lamp", "pieces": "two"})
            with pytest.raises(ToolError, match=r"shop"):
                await link.call("no_such_tool", {})


@pytest.mark.parametrize("over", ["stdio", "http"])
async def test_a_call_that_takes_too_long_is_given_up(over: str, address: str) -> None:
    server = shop(call_s=0.3) if over == "stdio" else McpServer("shop", url=address, call_s=0.3)
    async with linked(server) as link:
        await link.tools()
        began = time.monotonic()
        with pytest.raises(ToolError, match=r"did not answer within 0\.3 s"):
            await link.call("slow", {"seconds": 30})
        assert time.monotonic() - began < 5
        assert "lamp" in await link.call("price", {"article": "lamp"})


async def test_a_server_that_died_says_its_last_words_and_is_started_again() -> None:
    async with linked(shop()) as link:
        await link.tools()
        with pytest.raises(ToolError, match=r"ended during the call"):
            await link.call("die", {})
        assert "lamp" in await link.call("price", {"article": "lamp"})


async def test_closing_ends_calls_under_way_and_the_program() -> None:
    link = link_to(shop())
    await link.tools()
    call = asyncio.create_task(link.call("slow", {"seconds": 60}))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await link.close()
    with pytest.raises(ToolError):
        await call
    assert time.monotonic() - began < 4
    with pytest.raises(ToolError, match="closed"):
        await link.call("price", {"article": "lamp"})


async def test_a_server_that_does_not_start_is_told_why() -> None:
    async with linked(shop("sulk")) as link:
        with pytest.raises(ToolError, match="closed on Sundays"):
            await link.tools()
    async with linked(McpServer("ghost", "/no/such/program")) as link:
        with pytest.raises(ToolError, match="there is no program /no/such/program"):
            await link.tools()
    async with linked(McpServer("far", url="http://127.0.0.1:9/mcp")) as link:
        with pytest.raises(ToolError, match=r"far at http://127\.0\.0\.1:9/mcp does not answer"):
            await link.tools()


async def test_a_program_gets_the_variables_it_was_given_and_no_secrets() -> None:
    os.environ["SHOP_TEST_SECRET"] = "x"
    try:
        async with linked(shop(env={"SHOP_KEY": "1"})) as link:
            names = (await link.call("environment", {})).split()
    finally:
        del os.environ["SHOP_TEST_SECRET"]
    assert "SHOP_KEY" in names and "PATH" in names and "SHOP_TEST_SECRET" not in names
