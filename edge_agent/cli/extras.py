"""Tools beside search and reading: those of MCP servers, and Python."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Extras:
    """tools: beside search and reading; of MCP servers' those that were not denied."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    hub: Hub = field(default_factory=lambda: Hub({}))

    def now(self) -> dict[str, Tool]:
        """What the agent may call: tools that ask only while someone is there to be asked."""
        return {name: tool for name, tool in self.tools.items() if _may(tool)}


def _may(tool: Tool) -> bool:
    return not isinstance(tool, McpTool) or tool.approval == "allow" or tool.approver.present


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
        tools = honoured(chat, hub.tools, say)
        tools |= await _python(settings, say)
        yield Extras(tools, hub)


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
