"""Which tools a client of the server may run itself, from --tools and the MCP servers."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.cli.house import House
from edge_agent.config import Settings
from edge_agent.server.tools.bench import Bench, Listed, chosen
from edge_agent.tools.mcp.tool import Verbatim


def bench_of(house: House, settings: Settings) -> Bench | None:
    """None without --tools. Raises ConfigError for a name that is no tool's."""
    hub, agents = house.extras.hub, house.tools_for(None)
    own = [Listed(tool, "builtin") for name, tool in agents.items() if name not in hub.tools]

    def theirs() -> Iterator[Listed]:
        # what a server says of its own tools is not to be relied on: each may write
        for tool in hub.tools.values():
            title = tool.remote.title or tool.remote.name
            yield Listed(Verbatim.of_tool(tool), "mcp", title, writes=True)

    return chosen(settings.tools, own, theirs)
