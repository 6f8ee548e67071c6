"""From Anthropic's tools to those of a chat."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.chat.messages import ToolChoice, ToolSpec
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.tools import distinct, forced, named_tool
from edge_agent.server.messages.schemas import Choice, Tool


def tools_of(tools: Sequence[Tool]) -> tuple[ToolSpec, ...]:
    """Raises RequestError, and NotSupported for the tools that Anthropic's own server runs."""
    return distinct([_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)])


def _tool(tool: Tool, where: str) -> ToolSpec:
    if tool.type not in (None, "custom"):
        raise NotSupported(
            f"{where}.type: {tool.type} is not supported: give a tool of your own, "
            "with an input_schema.",
            where,
        )
    field = f"{where}.input_schema"
    if tool.input_schema is None:
        raise RequestError(f"{field}: this field is required.", field)
    if tool.input_schema.get("type", "object") != "object":
        raise RequestError(f'{field}: the input of a tool is of "type": "object".', field)
    return ToolSpec(tool.name, tool.description or "", tool.input_schema)


def tool_choice_of(choice: Choice | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    """ "any" is a call of some tool, "tool" of the named one. Raises RequestError."""
    if choice is None or choice.type == "auto":
        return "auto"
    if choice.type == "none":
        return "none"
    if choice.type == "any":
        return forced("any", tools)
    if choice.name is None:
        raise RequestError("tool_choice.name: this field is required.", "tool_choice.name")
    return named_tool(choice.name, tools)
