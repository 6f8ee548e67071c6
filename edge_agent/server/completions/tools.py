"""From the tools of a completion to those of a chat."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.chat.messages import NamedTool, ToolChoice, ToolSpec
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.schemas import ChosenTool, WireTool, WireToolChoice


def tools_of(tools: Sequence[WireTool]) -> tuple[ToolSpec, ...]:
    """Raises RequestError, and NotSupported for what is no function."""
    return distinct([_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)])


def distinct(specs: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
    """The same; raises RequestError where two have one name."""
    names: set[str] = set()
    for index, spec in enumerate(specs):
        if spec.name in names:
            raise RequestError(f"tools[{index}]: there are two tools named {spec.name}.", "tools")
        names.add(spec.name)
    return tuple(specs)


def _tool(tool: WireTool, where: str) -> ToolSpec:
    if tool.type != "function":
        raise NotSupported(f"{where}.type: {tool.type} is not supported: use function.", where)
    if tool.function is None:
        raise RequestError(f"{where}.function: this field is required.", f"{where}.function")
    function = tool.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    if parameters.get("type", "object") != "object":
        field = f"{where}.function.parameters"
        raise RequestError(f'{field}: the arguments of a tool are of "type": "object".', field)
    return ToolSpec(function.name, function.description or "", parameters)


def tool_choice_of(choice: WireToolChoice | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    """Raises RequestError for a choice that these tools do not leave."""
    if isinstance(choice, ChosenTool):
        return named_tool(choice.function.name, tools)
    return forced("required", tools) if choice == "required" else choice or "auto"


def forced(word: str, tools: Sequence[ToolSpec]) -> ToolChoice:
    """A call of some tool, which `word` asks for. Raises RequestError where there are none."""
    if not tools:
        raise RequestError(f"tool_choice: {word} needs tools to choose from.", "tool_choice")
    return "required"


def named_tool(name: str, tools: Sequence[ToolSpec]) -> NamedTool:
    """A call of this tool. Raises RequestError where there is no such tool."""
    if all(tool.name != name for tool in tools):
        known = ", ".join(tool.name for tool in tools) or "none"
        raise RequestError(
            f"tool_choice: {name} is not among the tools given ({known}).", "tool_choice"
        )
    return NamedTool(name)
