"""What this device offers to other agents: tools of ours, as an MCP server tells of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_agent.tools.base import Tool

Tell: TypeAlias = Callable[[str], Awaitable[None]]  # a line on how far a call is


@dataclass(frozen=True, slots=True)
class Said:
    """What a call gives back: text to read, the same as JSON, and whether it failed."""

    text: str
    data: Mapping[str, Any] | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool for others.

    make: the tool for one call, which tells how far it is. read: its result for whoever asked.
    """

    title: str
    make: Callable[[Tell], Tool]
    read: Callable[[Any], Said]

    def tool(self) -> Tool:
        """Its name, description and schema."""
        return self.make(silent)

    async def call(self, arguments: Mapping[str, Any], tell: Tell) -> Said:
        """Raises any of errors.py."""
        return self.read(await self.make(tell).call(arguments))


async def silent(line: str) -> None:
    """Tells nobody."""
