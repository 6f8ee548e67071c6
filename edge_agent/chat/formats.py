"""How each model family writes its thoughts and its tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from edge_agent.chat.messages import ToolSpec

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
CALL_OPEN = "<tool_call>"
CALL_CLOSE = "</tool_call>"
RESULT_OPEN = "<tool_response>\n"
RESULT_CLOSE = "\n</tool_response>"


@dataclass(frozen=True, slots=True)
class Format:
    """What a model was trained to write.

    calls: "json" is `{"name", "arguments"}` between the call markers, "xml" is
    `<function=NAME><parameter=KEY>` between them.
    tools_in_template: the chat template shows the tools to the model; otherwise we describe them.
    thinks: a turn may begin with a thought.
    thought_field: the template reads an assistant's thought from `reasoning_content`.
    """

    name: str
    calls: Literal["json", "xml"]
    tools_in_template: bool
    thinks: bool = False
    thought_field: bool = False


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "qwen3-coder": Format("qwen3-coder", "xml", tools_in_template=True),
        "hermes": Format("hermes", "json", tools_in_template=True),
        "described": Format("described", "json", tools_in_template=False),
    }
)

# What a template that shows tools must contain, most telling first.
SIGNS: Sequence[tuple[str, str]] = (("<function=", "qwen3-coder"), (CALL_OPEN, "hermes"))


def detect(template: str, has_think_token: bool = False) -> Format:
    """The format of a model, from its template's text and whether `<think>` is one token.

    A template that shows tools in a way not known here is not trusted with them: the tools are
    described in the system message instead.
    """
    shown = "tools" in template
    name = next((name for sign, name in SIGNS if shown and sign in template), "described")
    return replace(
        FORMATS[name],
        thinks=has_think_token or THINK_OPEN in template or THINK_CLOSE in template,
        thought_field="reasoning_content" in template,
    )


def is_plain(schema: Any) -> bool:
    """Whether calls in XML write a value of this schema as it is; all others are JSON there."""
    if not isinstance(schema, dict):
        return False
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if values:
        return all(isinstance(value, str) for value in values)
    return schema.get("type") == "string"


def describe(tools: Sequence[ToolSpec]) -> str:
    """The system text that teaches a model without a tool template to call tools."""
    listed = "\n".join(
        json.dumps(
            {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            ensure_ascii=False,
        )
        for t in tools
    )
    return (
        f"You can use these tools, one JSON object per line:\n{listed}\n\n"
        "To use a tool, write exactly this and then stop:\n"
        f'{CALL_OPEN}\n{{"name": "TOOL", "arguments": {{"PARAMETER": "VALUE"}}}}\n{CALL_CLOSE}\n'
        f"Its result comes back between {RESULT_OPEN.strip()} and {RESULT_CLOSE.strip()}."
    )
