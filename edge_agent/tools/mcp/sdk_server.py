"""The official SDK as a server: the only place that speaks to other people's clients with it.

It is imported when `edge-agent mcp` runs and not before (see `extra`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ToolEntry

from edge_agent.errors import EdgeAgentError
from edge_agent.tools.mcp.offer import Offer, Tell

PATH = "/mcp"
HERE = ("127.0.0.1", "localhost", "[::1]")
Context: TypeAlias = ServerRequestContext[Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
log = logging.getLogger(__name__)


def server_of(name: str, version: str, about: str, offers: Sequence[Offer]) -> Server[Any]:
    """A server of these offers. about: told to every client when it connects."""
    known = {offer.tool().name: offer for offer in offers}
    listed = ListToolsResult(tools=[_entry(offer) for offer in offers])

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return listed

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in known:
            told = f"There is no tool {params.name}; there is: {', '.join(known)}."
            raise MCPError(INVALID_PARAMS, told)
        return await _called(known[params.name], params.arguments or {}, _teller(ctx))

    return Server(
        name,
        version=version,
        instructions=about,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def over_stdio(server: Server[Any]) -> None:
    """Serve the program that has started this one, until it hangs up."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def over_http(server: Server[Any], only_here: bool) -> App:
    """An ASGI app that serves streamable HTTP at PATH.

    only_here: refuse requests that call this machine by a name that is not its own, and those of
    web pages of other sites.
    """
    guarded = TransportSecuritySettings(
        enable_dns_rebinding_protection=only_here,
        allowed_hosts=[f"{host}:*" for host in HERE],
        allowed_origins=[f"http://{host}:*" for host in HERE],
    )
    app: App = server.streamable_http_app(streamable_http_path=PATH, transport_security=guarded)
    return app


def _entry(offer: Offer) -> ToolEntry:
    tool = offer.tool()
    return ToolEntry(
        name=tool.name,
        title=offer.title,
        description=tool.description,
        input_schema=dict(tool.parameters),
        annotations=ToolAnnotations(
            title=offer.title, read_only_hint=True, destructive_hint=False, open_world_hint=True
        ),
    )


async def _called(offer: Offer, arguments: Mapping[str, Any], tell: Tell) -> CallToolResult:
    try:
        said = await offer.call(arguments, tell)
    except EdgeAgentError as error:
        return _result(str(error), None, failed=True)
    except Exception as error:  # a defect of ours is no reason to end the connection
        log.exception("a call of %s failed by a defect", offer.title)
        return _result(f"An internal error ended the call ({type(error).__name__}).", None, True)
    return _result(said.text, said.data, said.failed)


def _result(text: str, data: Mapping[str, Any] | None, failed: bool) -> CallToolResult:
    structured = None if data is None else dict(data)
    content: list[Any] = [TextContent(text=text.encode("utf-8", "replace").decode())]
    return CallToolResult(content=content, structured_content=structured, is_error=failed)


def _teller(ctx: Context) -> Tell:
    """Progress goes to whoever asked for it; each line counts one more."""
    steps = count(1)

    async def tell(line: str) -> None:
        await ctx.session.report_progress(next(steps), None, line)

    return tell
