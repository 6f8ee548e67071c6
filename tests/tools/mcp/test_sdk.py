"""The client against servers made with the official SDK: real programs, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.extra import link_to
from edge_agent.tools.mcp.link import Link
from edge_agent.tools.mcp.servers import McpServer
from tests.patience import HANG_S

pytest.importorskip("mcp", reason="the SDK is an extra")
pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOP = str(Path(__file__).with_name("shop.py"))


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
    with ExitStack() as stack:
        found = (opened(stack) for _ in range(5))
        yield f"http://127.0.0.1:{next(port for port in found if port)}/mcp"


def opened(stack: ExitStack) -> int:
    """The port of a shop that is open; 0 when another program was quicker to take it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, SHOP, "http", str(port)]
    own = {**os.environ, "SHOP_PORT": str(port)}
    program = stack.enter_context(subprocess.Popen(command, env=own))
    stack.callback(program.kill)
    end = time.monotonic() + HANG_S
    while program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return port
        except OSError:
            assert time.monotonic() < end, "the shop does not open"
            time.sleep(0.05)
    return 0


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["stdio", "http"])
async def link(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Link]:
    """A connection that most tests share; its program has got a variable, and not a secret."""
    os.environ["SHOP_TEST_SECRET"] = "x"
    near = McpServer("shop", sys.executable, (SHOP,), env={"SHOP_KEY": "1"})
    server = near if request.param == "stdio" else McpServer("shop", url=address)
    try:
        async with linked(server) as link:
            await link.tools()
            yield link
    finally:
        del os.environ["SHOP_TEST_SECRET"]


async def test_tools_are_listed_called_and_read_as_text(link: Link) -> None:
    tools = {tool.name: tool for tool in await link.tools()}
    assert tools["price"].description == "What some pieces of an article cost."
    assert tools["price"].parameters["properties"]["pieces"]["type"] == "integer"
    said = await link.call("price", {"article": "lamp", "pieces": 2})
    assert said == "2 of lamp cost 6 crowns."
    assert "7" in await link.call("stock", {"article": "lamp"})
    picture = await link.call("picture", {})
    assert picture.startswith("A lamp.") and "image/png" in picture and "left out" in picture
    calls = (link.call("price", {"article": f"a{n}"}) for n in range(10))
    assert [s.split()[2] for s in await asyncio.gather(*calls)] == [f"a{n}" for n in range(10)]


async def test_failures_are_sentences_to_read(link: Link) -> None:
    with pytest.raises(ToolError, match="the till is stuck"):
        await link.call("broken", {})
    with pytest.raises(ToolError, match=r"price: pieces: 'two' is not"):
        await link.call("price", {"article": "lamp", "pieces": "two"})
    with pytest.raises(ToolError, match=r"shop"):
        await link.call("no_such_tool", {})


async def test_a_server_that_has_other_tools_says_so(link: Link) -> None:
    await link.call("restock", {"article": "bell"})
    await asyncio.wait_for(link.changed(), HANG_S)
    assert "sell_bell" in {tool.name for tool in await link.tools()}


async def test_a_program_gets_the_variables_it_was_given_and_no_secrets(link: Link) -> None:
    names = (await link.call("environment", {})).split()
    assert "PATH" in names and "SHOP_TEST_SECRET" not in names
    assert {"SHOP_KEY", "SHOP_PORT"} & {*names}  # the one here, or the one that listens


async def test_a_call_over_http_that_takes_too_long_is_given_up(address: str) -> None:
    async with linked(McpServer("shop", url=address, call_s=2)) as link:
        await link.tools()
        began = time.monotonic()
        with pytest.raises(ToolError, match=r"did not answer within 2 s"):
            await link.call("slow", {"seconds": 30})
        assert time.monotonic() - began < 20
        assert "lamp" in await link.call("price", {"article": "lamp"})


async def test_a_server_that_is_not_there_is_told() -> None:
    async with linked(McpServer("far", url="http://127.0.0.1:9/mcp")) as link:
        with pytest.raises(ToolError, match=r"far at http://127\.0\.0\.1:9/mcp does not answer"):
            await link.tools()
