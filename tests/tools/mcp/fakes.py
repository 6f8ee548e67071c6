"""A server of tools that is no process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.errors import ToolError
from edge_agent.tools.mcp.link import Remote

PRICE = Remote(
    "price",
    "What an article costs.",
    {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]},
    "Price",
)


@dataclass
class FakeLink:
    """Answers every call with `says`; called: what it was asked. fault: why it does not start."""

    remotes: tuple[Remote, ...] = (PRICE,)
    says: str = "The lamp costs 3 crowns."
    fault: str = ""
    called: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    closed: bool = False
    listed: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def tools(self) -> tuple[Remote, ...]:
        self.listed += 1
        if self.fault:
            raise ToolError(self.fault)
        return self.remotes

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        self.called.append((tool, arguments))
        return self.says

    async def changed(self) -> None:
        await self.news.wait()
        self.news.clear()

    async def close(self) -> None:
        self.closed = True
