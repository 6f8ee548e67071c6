"""A tool of someone else's server as one of ours: approved, timed, and read like a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.errors import ToolError
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import DECIDED, Approver, Asked
from edge_agent.tools.mcp.link import Link, Remote, result_page
from edge_agent.tools.mcp.servers import Approval

NAME_CHARS = 64  # as OpenAI's API bounds them
ABOUT_CHARS = 1_000  # of a description that the model reads
_ODD = re.compile(r"[^A-Za-z0-9_-]")


def name_of(server: str, tool: str) -> str:
    """What our side calls it: `server_tool`, of letters that every API and template takes."""
    return _ODD.sub("_", f"{server}_{tool}")[:NAME_CHARS]


@dataclass(frozen=True, slots=True)
class McpTool(Tool):
    """Calls go to `link`, once `approval` or the approver has allowed them."""

    server: str
    remote: Remote
    link: Link
    approval: Approval
    approver: Approver
    holder: str = ""  # whose run calls it

    @classmethod
    def over(
        cls, server: str, remote: Remote, link: Link, approval: Approval, approver: Approver
    ) -> McpTool:
        async def made(**arguments: Any) -> str:
            return await link.call(remote.name, arguments)

        return cls(
            name_of(server, remote.name),
            remote.description[:ABOUT_CHARS],
            remote.parameters,
            made,
            server,
            remote,
            link,
            approval,
            approver,
        )

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """What the tool says, as a page. Raises ToolError."""
        text = await self.said(arguments)
        return result_page(self.server, self.remote, arguments, text)

    async def said(self, arguments: Mapping[str, Any]) -> str:
        """The same, as it says it."""
        if not await self._allowed(arguments):
            raise ToolError(f"{self.name} was not called: nobody has allowed it. Go on without it.")
        text = await self.link.call(self.remote.name, arguments)
        if not text.strip():
            raise ToolError(f"{self.name} gave back nothing.")
        return text

    def for_holder(self, holder: str) -> McpTool | None:
        """None where a person is to be asked and nobody is there."""
        if self.approval == "ask" and not self.approver.is_there(holder):
            return None
        return replace(self, holder=holder)

    async def _allowed(self, arguments: Mapping[str, Any]) -> bool:
        if self.approval != "ask":
            return self.approval == "allow"
        asked = Asked(self.server, self.remote.name, arguments, self.holder)
        return await self.approver.allows(asked)


@dataclass(frozen=True, slots=True)
class Verbatim(Tool):
    """A tool for a caller who has decided to call it, and wants its own words."""

    inner: McpTool

    @classmethod
    def of_tool(cls, tool: McpTool) -> Verbatim:
        own = replace(tool, approver=DECIDED)
        return cls(tool.name, tool.description, tool.parameters, tool.function, own)

    async def call(self, arguments: Mapping[str, Any]) -> str:
        return await self.inner.said(arguments)
