"""`edge-agent mcp` as other agents meet it: a real process, asked by the official SDK's client."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import HANG_S

from .shell import LOAD_S, ROOT, URL, Shell, eventually

mcp = pytest.importorskip("mcp", reason="the SDK is an extra")
SITE = ROOT / "examples" / "site"
LIGHT = "Southmoor Light keeper"


@asynccontextmanager
async def talking(shell: Shell, *flags: str | Path) -> AsyncIterator[Any]:
    """A client of a server that it has started itself."""
    command, *args = shell.command("mcp", "--library", SITE, *flags)
    program = mcp.StdioServerParameters(
        command=command, args=args, env=shell.environment(), cwd=str(ROOT)
    )
    with (shell.folder / "mcp.log").open("w") as errlog:
        async with mcp.Client(
            mcp.stdio_client(program, errlog), read_timeout_seconds=120
        ) as client:
            yield client


async def searched_and_read(client: Any) -> None:
    """What every client can do without a model."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["research", "search", "fetch_url"]
    assert tools["research"].input_schema["required"] == ["question"]
    found = await client.call_tool("search", {"query": [LIGHT]})
    assert not found.is_error and "library://site/" in found.content[0].text
    url = found.structured_content["results"][0]["hits"][0]["url"]
    read = await client.call_tool("fetch_url", {"url": [url], "purpose": "who keeps it"})
    assert not read.is_error and "Southmoor" in read.content[0].text
    beyond = await client.call_tool("fetch_url", {"url": [url], "page": 99})
    assert beyond.is_error and "there is no page 99" in beyond.content[0].text
    refused = await client.call_tool("fetch_url", {"url": ["http://127.0.0.1:1/"]})
    assert refused.is_error and "could not be read" in refused.content[0].text
    wrong = await client.call_tool("search", {"question": "x"})
    assert wrong.is_error and "query" in wrong.content[0].text
    with pytest.raises(mcp.MCPError, match="There is no tool shell"):
        await client.call_tool("shell", {})


async def test_all_three_tools_over_stdio(shell: Shell, smollm2_path: Path) -> None:
    told: list[str] = []

    async def hear(done: float, total: float | None, line: str | None) -> None:
        told.append(line or "")

    flags = ("--model", smollm2_path, "--ctx-size", "2048", "--threads", "1", "--steps", "1")
    async with talking(shell, *flags) as client:
        assert "research" in client.instructions
        await searched_and_read(client)
        asked = {"question": "Who keeps the Southmoor Light?", "seconds": 4}
        done = await client.call_tool("research", asked, progress_callback=hear)
        assert done.content[0].text.strip()
        record = done.structured_content
        assert record["status"] == "completed" and record["answer"]
        assert record["id"].startswith("run_") and record["reason"]
    assert told[0] == "loading the model" and any(line.startswith("search: ") for line in told)


async def test_search_and_reading_over_http_need_a_key_and_no_model(shell: Shell) -> None:
    flags = ("--http", "--port", "0", "--api-key", "sesame", "--library", SITE, "--model", "none")
    log = shell.folder / "http.log"
    with (
        log.open("w") as err,
        subprocess.Popen(
            shell.command("mcp", *flags), cwd=ROOT, env=shell.environment(), stderr=err
        ) as program,
    ):
        try:
            assert eventually(lambda: "over MCP at" in log.read_text(), LOAD_S), log.read_text()
            found = URL.search(log.read_text())
            assert found
            assert httpx.post(found[0], json={}).status_code == 401
            httpx2 = pytest.importorskip("httpx2")
            headers = {"Authorization": "Bearer sesame"}
            async with httpx2.AsyncClient(headers=headers, timeout=HANG_S) as http:
                transport = mcp.client.streamable_http.streamable_http_client(
                    found[0], http_client=http
                )
                async with mcp.Client(transport) as client:
                    await searched_and_read(client)
                    failed = await client.call_tool("research", {"question": "Who?"})
                    assert failed.is_error and "none" in failed.content[0].text
                    assert (await client.call_tool("research", {"question": " "})).is_error
        finally:
            program.terminate()
            assert program.wait(HANG_S) == 0


def test_an_address_on_the_network_needs_a_key(shell: Shell) -> None:
    said = shell.refused("mcp", "--http", "--host", "0.0.0.0", "--port", "0")
    assert "--api-key" in said
    said = shell.refused("mcp", "--http", "--api-key", "", "--port", "0")
    assert "--api-key is empty" in said
