"""Tools beside search and reading: those of MCP servers, and Python."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from edge_agent.agent.runs.schemas import honoured
from edge_agent.chat.messages import Chat
from edge_agent.cli.loaded import Say
from edge_agent.config import Settings
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import NOBODY, Approver
from edge_agent.tools.mcp.extra import link_to
from edge_agent.tools.mcp.hub import Hub, opened
from edge_agent.tools.mcp.servers import McpServer, read_servers
from edge_agent.tools.mcp.tool import McpTool
from edge_agent.tools.python.interpreter import NAME as PYTHON
from edge_agent.tools.python.interpreter import python_tool, tried
from edge_agent.tools.python.sandbox import NotConfined

Held: TypeAlias = Callable[[Mapping[str, Tool]], Mapping[str, Tool]]


class Extras:
    """Tools beside search and reading: those of MCP servers, as they are now, and our own.

    held: loosens the schemas of some tools that calls cannot be held to.
    """

    def __init__(
        self, hub: Hub | None = None, own: Mapping[str, Tool] | None = None, held: Held = dict
    ) -> None:
        self.hub = hub or Hub({})
        self._own = own or {}
        self._held = held
        self._known: dict[str, tuple[McpTool, Tool]] = {}  # as its server tells of it, and held

    def now(self) -> dict[str, Tool]:
        """What the agent may call; some of them only of a holder who is there to be asked."""
        tools = self.hub.tools
        known = {name: self._known[name] for name in tools if self._same(name)}
        new = {name: tool for name, tool in tools.items() if name not in known}
        known |= {name: (new[name], held) for name, held in self._held(new).items()}
        self._known = known
        return {**{name: known[name][1] for name in tools}, **self._own}

    def _same(self, name: str) -> bool:
        return name in self._known and self._known[name][0] is self.hub.tools[name]


@asynccontextmanager
async def open_extras(
    settings: Settings, chat: Chat, say: Say, approver: Approver = NOBODY
) -> AsyncIterator[Extras]:
    """The extras while the block runs. approver: asked before a tool that its file says to ask
    for. Raises ConfigError."""
    async with AsyncExitStack() as stack:
        servers = read_servers(settings.mcp_servers_config)
        hub = await stack.enter_async_context(opened(servers, link_to, say, approver))
        for server in servers:
            _tell(server, hub, approver is NOBODY, say)
        own = await _python(settings, say)
        extras = Extras(hub, own, functools.partial(_honoured, chat, say))
        extras.now()  # what is said of schemas is said at the start
        yield extras


def _honoured(chat: Chat, say: Say, tools: Mapping[str, Tool]) -> dict[str, Tool]:
    return honoured(chat, tools, say)


def _tell(server: McpServer, hub: Hub, alone: bool, say: Say) -> None:
    """One line on what the agent has of a server, and what waits for a person's word."""
    own = [tool for tool in hub.tools.values() if tool.server == server.name]
    asks = [tool.remote.name for tool in own if tool.approval == "ask"]
    if not own:
        return
    said = f"MCP: {server.name} has {', '.join(tool.remote.name for tool in own)}."
    if asks and alone:
        said += f" Nobody is here to allow {', '.join(asks)}: the agent goes without."
    elif asks:
        said += f" Before {', '.join(asks)} a person is asked."
    if asks:
        said += f' "approvals": {{"{asks[0]}": "allow"}} in its entry allows one for good.'
    say(said)


async def _python(settings: Settings, say: Say) -> dict[str, Tool]:
    """PythonInterpreter, where it is asked for and the machine can confine it."""
    if not settings.python_tool:
        return {}
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        prison = await tried(settings.data_dir)
    except (NotConfined, OSError) as error:
        say(f"{error}")
        return {}
    say(f"Python runs without network and files, held by {prison.confined}.")
    return {PYTHON: python_tool(prison.sandbox)}
