"""A program that speaks MCP over its stdin and stdout, as a transport of the SDK.

The SDK's own would wait two seconds for a program that does not hear, would take a line of any
length, and would leave the program's children behind.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TextIO

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from edge_agent.tools.mcp.servers import McpServer

MOST_LINE = 16 * 1024 * 1024  # bytes of one message
CHUNK = 65_536
HUNG_UP_S = 0.5  # for a program to end after its stdin has
TERMINATED_S = 1.0  # and after SIGTERM
log = logging.getLogger(__name__)


@asynccontextmanager
async def talking(
    server: McpServer, errlog: TextIO, ended: Callable[[], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of messages from and to the program, while the block runs; then it is ended,
    with all it has started. ended: called when nothing more will come. Raises OSError."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        server.command,
        *server.args,
        stdin=pipe,
        stdout=pipe,
        stderr=errlog,
        env={**get_default_environment(), **server.env},
        cwd=server.cwd,
        start_new_session=True,
        limit=MOST_LINE,
    )
    heard, read = anyio.create_memory_object_stream[Any](0)
    write, said = anyio.create_memory_object_stream[Any](0)
    work = [
        asyncio.create_task(_hear(process.stdout, heard, ended)),
        asyncio.create_task(_say(process.stdin, said)),
    ]
    try:
        yield read, write
    finally:
        await asyncio.shield(asyncio.ensure_future(_end(process)))
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        for stream in (heard, read, write, said):
            stream.close()


async def _hear(stdout: asyncio.StreamReader | None, heard: Any, ended: Callable[[], None]) -> None:
    try:
        while stdout is not None and (line := await stdout.readline()):
            if (message := _message(line)) is not None:
                await heard.send(SessionMessage(message))
    except ValueError:
        log.warning("an MCP server said more than %d bytes in one message", MOST_LINE)
    except anyio.BrokenResourceError:
        log.debug("nobody listens to an MCP server any more")
    finally:
        ended()
        heard.close()
    while stdout is not None and await stdout.read(CHUNK):
        continue  # a program that cannot get rid of its words cannot hear that it shall end


def _message(line: bytes) -> Any:
    """None for what is none: some programs greet whoever starts them."""
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        log.debug("an MCP server said what is no message: %.100r", line)
        return None


async def _say(stdin: asyncio.StreamWriter | None, said: Any) -> None:
    async for message in said:
        if stdin is None or stdin.is_closing():
            return
        line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
        with suppress(ConnectionError):
            stdin.write(line.encode("utf-8", "replace") + b"\n")
            await stdin.drain()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Hang up, ask, then kill; what it has started in its own session ends with it."""
    if process.stdin is not None:
        process.stdin.close()
    if not await _gone(process, HUNG_UP_S):
        _signal(process, signal.SIGTERM)
        await _gone(process, TERMINATED_S)
    _signal(process, signal.SIGKILL)
    with suppress(asyncio.TimeoutError):  # a child in a session of its own may hold the pipes open
        await asyncio.wait_for(process.wait(), TERMINATED_S)


async def _gone(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Whether it has ended by itself. Its pipes may be held open by its children."""
    end = asyncio.get_running_loop().time() + seconds
    while process.returncode is None and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.01)
    return process.returncode is not None


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
