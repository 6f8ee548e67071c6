"""The way to the SDK, which is an extra and large: it is loaded when it is first needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from edge_agent import __version__
from edge_agent.errors import ConfigError
from edge_agent.tools.mcp.link import Link
from edge_agent.tools.mcp.servers import McpServer

CLIENT = "edge-agent"
MISSING = "Tools over MCP need the package mcp, which is not installed: pip install {}."
HOME = "edge_agent.tools.mcp"


def link_to(server: McpServer) -> Link:
    """A connection to a server, which is not made yet. Raises ConfigError without the SDK."""
    link: Link = sdk("sdk").SdkLink(server, CLIENT, __version__)
    return link


def sdk(module: str) -> ModuleType:
    """A module of this room that imports the SDK. Raises ConfigError without it."""
    try:
        return importlib.import_module(f"{HOME}.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("edge_agent"):
            raise
        raise ConfigError(MISSING.format("'edge-agent[mcp]'")) from None
