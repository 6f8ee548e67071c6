"""A desk where one call always waits, and tools that fail or dawdle."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from edge_agent.errors import NotFound, ToolError
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import Asked
from edge_agent.tools.mcp.desk import ApprovalDesk, Waiting

CALL = Waiting("ask_1", Asked("shop", "price", {"article": "lamp"}), 1.0)


class ObligingDesk(ApprovalDesk):
    """Whatever is decided, the same call waits again."""

    def look(self, holders: Collection[str] = ("",)) -> list[Waiting]:
        return [CALL]

    def decide(
        self, id: str, allow: bool, always: bool = False, holders: Collection[str] = ("",)
    ) -> None:
        if id != CALL.id:
            raise NotFound(f"No call {id!r} waits.")


async def fail(what: str = "it") -> str:
    """Always fails."""
    raise ToolError(f"{what} is out of order.")


async def dawdle(seconds: float) -> str:
    """Answers late."""
    await asyncio.sleep(seconds)
    return "late"


FAIL, DAWDLE = Tool.of(fail), Tool.of(dawdle)
