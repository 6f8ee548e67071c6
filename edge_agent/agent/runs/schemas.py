"""Schemas of other people's tools, as far as this model's calls can be held to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edge_agent.chat.messages import Chat, ChatRequest, Message, NamedTool, ToolSpec
from edge_agent.errors import RequestError
from edge_agent.tools.base import Tool


def honoured(chat: Chat, tools: Mapping[str, Tool], say: Callable[[str], None]) -> dict[str, Tool]:
    """The same tools; a schema that calls cannot be held to is loosened, and `say` is told.

    One bad schema among them would else fail every turn.
    """
    return {name: _honoured(chat, tool, say) for name, tool in tools.items()}


def _honoured(chat: Chat, tool: Tool, say: Callable[[str], None]) -> Tool:
    if _is_honoured(chat, tool):
        return tool
    say(f"The schema of {tool.name} goes beyond what calls can be held to: only its names are.")
    return replace(tool, parameters=loose(tool.parameters))


def _is_honoured(chat: Chat, tool: Tool) -> bool:
    spec = ToolSpec(tool.name, tool.description, tool.parameters)
    request = ChatRequest(
        (Message("user", "?"),), tools=(spec,), tool_choice=NamedTool(tool.name), max_tokens=1
    )
    try:
        chat.prepare(request)
    except RequestError:
        return False
    return True


def loose(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Only the names of the parameters, and which of them must be there."""
    given = schema.get("properties")
    names = [str(name) for name in given] if isinstance(given, Mapping) else []
    required = schema.get("required")
    needed = [name for name in required if name in names] if isinstance(required, list) else []
    return {"type": "object", "properties": {name: {} for name in names}, "required": needed}
