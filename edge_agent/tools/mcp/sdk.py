"""The official SDK as a client: the only place that speaks to other people's servers with it.

It is imported when a server is configured and not before (see `extra`): the SDK is an extra.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolResult,
    Implementation,
    ToolListChangedNotification,
)
from referencing import Registry
from referencing.exceptions import Unresolvable

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.link import Remote, text_of
from edge_agent.tools.mcp.muttering import Muttering
from edge_agent.tools.mcp.program import talking
from edge_agent.tools.mcp.servers import McpServer

START_S = 45.0  # a first start may install the server's packages
TELL_S = 15.0  # listing, and all that is no call
AGAIN_S = 5.0  # a server that did not start is let be for so long
LISTEN_AGAIN_S = 30.0  # after it has hung up on who listened
MOST_TOOLS = 500
MOST_PAGES = 50
T = TypeVar("T")
log = logging.getLogger(__name__)


class SdkLink:
    """A connection that the SDK holds, in a task of its own (see `link.Link`)."""

    def __init__(self, server: McpServer, client_name: str, client_version: str) -> None:
        self._server = server
        self._info = Implementation(name=client_name, version=client_version)
        self._starting = asyncio.Lock()
        self._session: _Session | None = None
        self._schemas: dict[str, Mapping[str, Any]] = {}
        self._failed: tuple[float, ToolError] | None = None
        self._news = asyncio.Event()
        self._closed = False

    async def tools(self) -> tuple[Remote, ...]:
        client = await self._client()
        found: list[Remote] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._told(client.list_tools(cursor=cursor), TELL_S)
            found += [
                Remote(tool.name, tool.description or "", tool.input_schema, tool.title or "")
                for tool in page.tools
            ]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MOST_TOOLS:
                break
        self._schemas = {tool.name: tool.parameters for tool in found}
        return tuple(found[:MOST_TOOLS])

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        check(f"{self._server.name} {tool}", arguments, self._schemas.get(tool, {}))
        client, limit = await self._client(), self._server.call_s
        work = client.call_tool(tool, dict(arguments), read_timeout_seconds=limit)
        result: CallToolResult = await self._told(work, limit)
        blocks = [block.model_dump(by_alias=True, mode="json") for block in result.content]
        text = text_of(blocks, result.structured_content)
        if result.is_error:
            raise ToolError(f"{self._server.name} {tool}: {text or 'it failed without a word'}")
        return text

    async def changed(self) -> None:
        await self._news.wait()
        self._news.clear()

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _told(self, work: Awaitable[T], limit_s: float) -> T:
        """What the SDK gives back, its errors as ours."""
        try:
            return await work
        except MCPError as error:
            raise ToolError(self._sentence(error, limit_s)) from None
        except Exception as error:  # the SDK's transports and checks raise what they like
            raise ToolError(f"{self._server.name}: {_first(error)}") from None

    def _sentence(self, error: MCPError, limit_s: float) -> str:
        if error.code == REQUEST_TIMEOUT:
            return f"{self._server.name} did not answer within {limit_s:g} s."
        if error.code == CONNECTION_CLOSED:
            last = self._session.muttering.last_words() if self._session else ""
            return f"{self._server.name} ended during the call{f' ({last})' if last else ''}."
        return f"{self._server.name}: {error.message}"

    async def _client(self) -> Client:
        """The client of a connection that lives. Raises ToolError."""
        async with self._starting:
            if self._closed:
                raise ToolError(f"{self._server.name} was closed.")
            if self._session is not None and not self._session.over.is_set():
                return self._session.client
            now = asyncio.get_running_loop().time()
            if self._failed is not None and now < self._failed[0]:
                raise self._failed[1]
            return await self._start()

    async def _start(self) -> Client:
        if self._session is not None:
            log.warning("the MCP server %s has ended and is started again", self._server.name)
            await self._session.close()
            self._session = None
            self._news.set()
        session = _Session(self._server, self._info, self._news)
        try:
            await session.open()
        except ToolError as error:
            self._failed = (asyncio.get_running_loop().time() + AGAIN_S, error)
            raise
        self._session, self._failed = session, None
        return session.client


class _Session:
    """One connection from its beginning to its end; `over` is set when the other side hangs up,
    `news` whenever its server says that it has other tools.

    The SDK's scopes must be left by the task that entered them, so a task of its own holds it.
    """

    def __init__(self, server: McpServer, info: Implementation, news: asyncio.Event) -> None:
        self._server = server
        self._info = info
        self._news = news
        self._stop = asyncio.Event()
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.over = asyncio.Event()
        self.muttering = Muttering()
        self.client: Client

    async def open(self) -> None:
        """Raises ToolError."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(ready))
        try:
            await asyncio.wait_for(asyncio.shield(ready), START_S)
        except asyncio.TimeoutError:
            await self.close()
            raise ToolError(f"{self._server.name} did not start within {START_S:g} s.") from None
        except asyncio.CancelledError:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up: what waits is told that the connection is closed, then the program ends."""
        self._stop.set()
        self.over.set()
        if self._task is not None:
            if not self._task.done() and not hasattr(self, "client"):
                self._task.cancel()
            await asyncio.wait([self._task])

    async def _hold(self, ready: asyncio.Future[None]) -> None:
        try:
            async with AsyncExitStack() as stack:
                transport = await self._transport(stack)
                client = Client(
                    transport,
                    read_timeout_seconds=TELL_S,
                    client_info=self._info,
                    cache=None,
                    message_handler=self._heard,
                )
                self.client = await stack.enter_async_context(client)
                async with _beside(self._listen(self.client)):
                    await self._listening.wait()  # what changes from now on is heard
                    ready.set_result(None)
                    await self.over.wait()
        except Exception as error:  # what the SDK raises is open, and its groups hold the cause
            if not ready.done():
                ready.set_exception(ToolError(self._why(error)))
            elif not self._stop.is_set():
                log.warning("the connection to %s broke: %s", self._server.name, _first(error))
        finally:
            self.over.set()
            if not ready.done():
                ready.set_exception(ToolError(f"{self._server.name} was not started."))
                ready.exception()  # whoever waited may be gone

    async def _heard(self, message: object) -> None:
        """Servers of before 2026 say it to everyone."""
        if isinstance(message, ToolListChangedNotification):
            self._news.set()

    async def _listen(self, client: Client) -> None:
        """Others say it to who listens; what was said while nobody did is not said again."""
        try:
            while (tools := client.server_capabilities.tools) and tools.list_changed:
                await self._listen_once(client)
                self._listening.set()
                await asyncio.sleep(LISTEN_AGAIN_S)
                self._news.set()
        except ListenNotSupportedError:
            log.debug("%s says it to everyone", self._server.name)
        finally:
            self._listening.set()

    async def _listen_once(self, client: Client) -> None:
        try:
            async with client.listen(tools_list_changed=True) as told:
                self._listening.set()
                async for _ in told:
                    self._news.set()
        except (MCPError, SubscriptionLost, TimeoutError) as error:
            log.debug("%s tells no news for now: %s", self._server.name, _first(error))

    async def _transport(self, stack: AsyncExitStack) -> AbstractAsyncContextManager[Any]:
        server = self._server
        if server.url:
            timeout = httpx2.Timeout(TELL_S, read=server.call_s + TELL_S)
            http = httpx2.AsyncClient(headers=dict(server.headers), timeout=timeout)
            await stack.enter_async_context(http)
            return streamable_http_client(server.url, http_client=http)
        errlog = await self.muttering.open()
        stack.push_async_callback(self.muttering.close)
        return talking(server, errlog, self.over.set)

    def _why(self, error: Exception) -> str:
        name, last = self._server.name, self.muttering.last_words()
        if isinstance(error, FileNotFoundError):
            return f"{name} cannot be started: there is no program {self._server.command}."
        if self._server.url:
            return f"{name} at {self._server.url} does not answer: {_first(error)}"
        return f"{name} did not start: {last or _first(error)}"


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do it while the block runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def check(what: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raises ToolError for arguments that a schema does not allow.

    A reference to elsewhere is not followed: a schema may not make this device call addresses.
    """
    validator = Draft202012Validator(dict(schema), registry=Registry())
    try:
        wrong = best_match(validator.iter_errors(dict(arguments)))
    except (SchemaError, Unresolvable, RecursionError, TypeError, ValueError):
        return  # a broken schema forbids nothing: the server decides
    if wrong is not None:
        where = ".".join(map(str, wrong.absolute_path)) or "arguments"
        raise ToolError(f"{what}: {where}: {wrong.message[:200]}")


def _first(error: BaseException) -> str:
    """The cause inside the SDK's groups of errors, in a line."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return " ".join(f"{error}".split())[:300] or type(error).__name__
