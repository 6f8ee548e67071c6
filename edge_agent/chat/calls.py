"""The text of a tool call to a name and arguments, whatever shape a model gave it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edge_agent.chat import lenient
from edge_agent.chat.fitting import misfit
from edge_agent.chat.formats import is_plain
from edge_agent.chat.messages import ToolSpec

NAME_KEYS = ("name", "tool", "tool_name", "function", "action")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "kwargs")

# What models trained elsewhere call the same thing; used only where the tool has the latter.
TOOL_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "visit": "fetch_url",
        "browse": "fetch_url",
        "open_url": "fetch_url",
        "fetch": "fetch_url",
        "web_search": "search",
        "google_search": "search",
        "wide_search": "search",
        "python": "PythonInterpreter",
    }
)
KEY_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "goal": ("purpose",),
        "purpose": ("goal",),
        "q": ("query",),
        "queries": ("query",),
        "query": ("queries", "q"),
        "urls": ("url",),
        "url": ("urls", "link"),
        "link": ("url",),
    }
)

_MARKERS = re.compile(r"\A(?:\s*<tool_call>)+|(?:</tool_call>\s*)+\Z")
_LOOKS_MEANT = re.compile(r"\b(?:name|tool|arguments|parameters)[\"']?\s*:")
_FENCE = re.compile(r"```[a-z_]*\s*\n?(.*?)(?:```|\Z)", re.S)
_CODE = re.compile(r"<code>\n?(.*?)\n?(?:</code>|\Z)", re.S)
_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)(?:</function>|\Z)", re.S)
_PARAMETER = re.compile(
    r"<parameter=([^>\s]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.S
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was understood."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def arguments_json(self) -> str:
        """The arguments as compact JSON text of an object."""
        return json.dumps(self.arguments, ensure_ascii=False)


class NotACall(ValueError):
    """`meant` says whether a call seems to have been meant; str() is the reason."""

    def __init__(self, reason: str, meant: bool) -> None:
        super().__init__(reason)
        self.meant = meant


def read_calls(body: str, tools: Mapping[str, ToolSpec], complete: bool = False) -> list[Call]:
    """Every call in the text between two call markers, a fence, or a bare JSON object.

    `complete` demands that nothing is missing at the end, for text that was cut. Raises NotACall.
    """
    text = _MARKERS.sub("", body).strip()
    if "<function=" in text:
        return _read_xml(text, tools, complete)
    code = _CODE.search(text)
    if code:
        text = text[: code.start()].strip()
    fence = _FENCE.match(text)
    try:
        value = lenient.loads(fence[1] if fence else text, complete)
    except ValueError as error:
        meant = _LOOKS_MEANT.search(text) is not None
        raise NotACall(f"The tool call is not valid JSON: {error}.", meant) from None
    calls = [_read_json(each, tools) for each in (value if isinstance(value, list) else [value])]
    if not calls:
        raise NotACall("The list of tool calls is empty.", meant=False)
    if code:
        calls[-1] = Call(calls[-1].name, {**calls[-1].arguments, "code": code[1]})
    return calls


def check_calls(calls: Sequence[Call], tools: Mapping[str, ToolSpec]) -> None:
    """Raises NotACall for arguments that the schema of their tool does not allow."""
    for call in calls:
        if wrong := misfit(call.arguments, tools[call.name].parameters):
            raise NotACall(f"The call of {call.name} does not fit its schema: {wrong}", meant=True)


def _read_json(value: Any, tools: Mapping[str, ToolSpec]) -> Call:
    if not isinstance(value, dict) or not value:
        raise NotACall("The tool call is not a JSON object.", meant=False)
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    if len(value) == 1 and next(iter(value)) in tools:
        name, arguments = next(iter(value.items()))
        return _fitted(name, arguments, tools[name])
    name = next((value[k] for k in NAME_KEYS if isinstance(value.get(k), str)), None)
    key = next((k for k in ARGUMENT_KEYS if k in value), None)
    if name is None:
        raise NotACall("The tool call names no tool.", meant=key is not None)
    rest = {k: v for k, v in value.items() if k not in (*NAME_KEYS, "id", "type")}
    tool = _tool(name, tools, meant=key is not None)
    return _fitted(tool.name, rest if key is None else value[key], tool)


def _tool(name: str, tools: Mapping[str, ToolSpec], meant: bool) -> ToolSpec:
    alias = TOOL_ALIASES.get(name.lower(), name)
    same = {known.lower(): known for known in tools}
    known = next((n for n in (name, alias, same.get(name.lower(), "")) if n in tools), None)
    if known is None:
        raise NotACall(
            f"There is no tool named {name[:80]!r}; there is {', '.join(sorted(tools))}.", meant
        )
    return tools[known]


def _read_xml(text: str, tools: Mapping[str, ToolSpec], complete: bool) -> list[Call]:
    if complete and "</function>" not in text:
        raise NotACall("The tool call is cut off.", meant=True)
    found = []
    for name, body in _FUNCTION.findall(text):
        tool = _tool(name, tools, meant=True)
        found.append(_fitted(tool.name, _read_parameters(body, tool), tool))
    if not found:
        raise NotACall("The tool call names no tool.", meant=True)
    return found


def _read_parameters(body: str, tool: ToolSpec) -> dict[str, Any]:
    """What stands between the tags: JSON, where the schema does not say that it is text."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    pairs = dict(_PARAMETER.findall(body))
    keys = {key: _key(key, pairs, properties) for key in pairs}
    json_keys = {
        k for k, key in keys.items() if key in properties and not is_plain(properties[key])
    }
    return {k: _parsed(v) if k in json_keys else v for k, v in pairs.items()}


def _fitted(name: str, arguments: Any, tool: ToolSpec) -> Call:
    """The arguments, with the harmless mistakes against the tool's schema mended."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    if isinstance(arguments, str):
        arguments = _from_text(arguments, tool.parameters, properties)
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise NotACall(f"The arguments of {name} are not a JSON object.", meant=True)
    renamed = {_key(k, arguments, properties): v for k, v in arguments.items()}
    return Call(name, {k: _value(v, properties.get(k)) for k, v in renamed.items()})


def _from_text(text: str, schema: Mapping[str, Any], properties: Mapping[str, Any]) -> Any:
    """Arguments that came as a string: JSON in it, or the value of the only parameter due."""
    try:
        value = lenient.loads(text)
    except ValueError:
        value = text
    if isinstance(value, dict):
        return value
    due: Sequence[str] = schema.get("required") or list(properties)
    return {due[0]: text} if len(due) == 1 else value


def _key(key: str, arguments: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    if key in properties:
        return key
    other = (k for k in KEY_ALIASES.get(key, ()) if k in properties and k not in arguments)
    return next(other, key)


def _value(value: Any, schema: Any) -> Any:
    """`value` in the type its schema wants, where the meaning is plain; else as it is."""
    wanted = schema.get("type") if isinstance(schema, dict) else None
    if wanted == "array" and not isinstance(value, list):
        parsed = _parsed(value)
        return parsed if isinstance(parsed, list) else [value]
    if wanted == "string" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, str) and wanted in ("integer", "number", "boolean", "object"):
        return _parsed(value)
    return value


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value.strip().lower() if value in ("True", "False") else value)
    except ValueError:
        return value
