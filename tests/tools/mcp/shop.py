"""A server of tools made with the official SDK: run as a program, over stdio or HTTP.

python shop.py [stdio|http PORT]
"""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, TextContent

server = MCPServer("shop", version="1")


@server.tool()
def price(article: str, pieces: int = 1) -> str:
    """What some pieces of an article cost."""
    return f"{pieces} of {article} cost {pieces * 3} crowns."


@server.tool()
def stock(article: str) -> dict[str, int]:
    """How many there are, as a value."""
    return {article: 7}


@server.tool()
async def slow(seconds: float) -> str:
    """Answers late."""
    await asyncio.sleep(seconds)
    return "late"


@server.tool()
def broken() -> str:
    """Always fails."""
    raise ToolError("the till is stuck")


@server.tool()
async def restock(article: str, ctx: Context) -> str:
    """Has a tool more from now on, and says so."""
    server.add_tool(price, name=f"sell_{article}")
    await ctx.notify_tools_changed()
    return "done"


@server.tool(structured_output=False)
def picture() -> list[TextContent | ImageContent]:
    """A text and a picture."""
    picture = ImageContent(type="image", data="AAAA", mime_type="image/png")
    return [TextContent(type="text", text="A lamp."), picture]


@server.tool()
def environment() -> str:
    """The names of all variables the program has got."""
    return " ".join(sorted(os.environ))


@server.tool()
def catalogue(lines: int) -> str:
    """A long text."""
    return "\n\n".join(f"Article {n} stands on shelf {n * 7}." for n in range(lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
