"""All servers of tools of this house: begun together, listed, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.approval import NOBODY, Approver
from edge_agent.tools.mcp.link import Link, Remote
from edge_agent.tools.mcp.servers import McpServer
from edge_agent.tools.mcp.tool import McpTool

Say = Callable[[str], None]


@dataclass(slots=True)
class Hub:
    """tools: by our names for them, those that are denied left out. failures: by server, why it
    has none."""

    links: Mapping[str, Link]
    tools: dict[str, McpTool] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    ending: asyncio.Future[None] | None = None

    def hang_up(self) -> None:
        """Begin to end all servers, and with them the calls under way, without waiting for it."""
        self.ending = self.ending or asyncio.ensure_future(self._close())

    async def close(self) -> None:
        """End all servers at once."""
        self.hang_up()
        if self.ending is not None:
            await self.ending

    async def _close(self) -> None:
        await asyncio.gather(*(link.close() for link in self.links.values()))


@asynccontextmanager
async def opened(
    servers: Sequence[McpServer],
    link_to: Callable[[McpServer], Link],
    say: Say,
    approver: Approver = NOBODY,
) -> AsyncIterator[Hub]:
    """The servers while the block runs. One that does not start is told of and left out."""
    hub = Hub({server.name: link_to(server) for server in servers})
    try:
        lists = await asyncio.gather(*(_listed(hub, server, say) for server in servers))
        for server, found in zip(servers, lists, strict=True):
            _join(hub, server, found, say, approver)
        yield hub
    finally:
        await hub.close()


async def _listed(hub: Hub, server: McpServer, say: Say) -> tuple[Remote, ...]:
    try:
        return await hub.links[server.name].tools()
    except ToolError as error:
        hub.failures[server.name] = str(error)
        say(f"MCP: {error} Its tools are not there.")
        return ()


def _join(
    hub: Hub, server: McpServer, found: Sequence[Remote], say: Say, approver: Approver
) -> None:
    for remote in found:
        approval = server.approval_of(remote.name)
        tool = McpTool.over(server.name, remote, hub.links[server.name], approval, approver)
        if tool.name in hub.tools:
            say(f"MCP: there are two tools {tool.name}; the one of {server.name} is left out.")
        elif approval != "deny":
            hub.tools[tool.name] = tool
