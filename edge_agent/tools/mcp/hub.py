"""All servers of tools of this house: begun together, listed, followed, ended together."""

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
AGAIN_S = 10.0  # until a server that does not answer is tried again; then twice as long each time
LONGEST_S = 600.0


@dataclass(slots=True)
class Hub:
    """tools: by our names for them, those that are denied left out, as their servers tell of them
    now. failures: by server, why it has none."""

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
    again_s: float = AGAIN_S,
) -> AsyncIterator[Hub]:
    """The servers while the block runs.

    One that does not start is told of, left out, and tried again behind the rest, after `again_s`
    and then ever more rarely. One that says that it has other tools is asked for them.
    """
    hub = Hub({server.name: link_to(server) for server in servers})
    members = [_Member(hub, server, say, approver) for server in servers]
    following: list[asyncio.Task[None]] = []
    try:
        lists = await asyncio.gather(*(member.listed() for member in members))
        for member, found in zip(members, lists, strict=True):
            member.join(found)
        following += [asyncio.create_task(member.follow(again_s)) for member in members]
        yield hub
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await hub.close()


@dataclass(frozen=True, slots=True)
class _Member:
    """One server's place in the hub."""

    hub: Hub
    server: McpServer
    say: Say
    approver: Approver

    async def listed(self) -> Sequence[Remote] | None:
        """Its tools; None, and why in `failures`, when it does not tell them."""
        name, failures = self.server.name, self.hub.failures
        try:
            found = await self.hub.links[name].tools()
        except ToolError as error:
            if name not in failures:
                self.say(f"MCP: {error} Its tools are not there; it is tried again now and then.")
            failures[name] = str(error)
            return None
        failures.pop(name, None)
        return found

    def join(self, found: Sequence[Remote] | None) -> None:
        """Offer these in place of what it had; of one that cannot be asked, what it had."""
        if found is None:
            return
        name, tools = self.server.name, self.hub.tools
        for old in [key for key, tool in tools.items() if tool.server == name]:
            del tools[old]
        for remote in found:
            approval = self.server.approval_of(remote.name)
            link = self.hub.links[name]
            tool = McpTool.over(name, remote, link, approval, self.approver)
            if tool.name in tools:
                self.say(f"MCP: there are two tools {tool.name}; the one of {name} is left out.")
            elif approval != "deny":
                tools[tool.name] = tool

    async def follow(self, again_s: float) -> None:
        """Go on asking: one that failed after a while, one that answers when it has news."""
        wait_s = again_s
        while True:
            if self.server.name in self.hub.failures:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_S)
            else:
                await self.hub.links[self.server.name].changed()
                wait_s = again_s
            before = self._names()
            self.join(await self.listed())
            now = self._names()
            if now != before:
                self.say(f"MCP: {self.server.name} has {', '.join(now) or 'no tool'} now.")

    def _names(self) -> list[str]:
        own = (tool for tool in self.hub.tools.values() if tool.server == self.server.name)
        return [tool.remote.name for tool in own]
