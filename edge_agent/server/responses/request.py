"""From the body of a response to a ChatRequest, through that of a chat completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.request import to_request as to_chat_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.errors import renamed
from edge_agent.server.responses.schemas import (
    ChoiceObject,
    CountBody,
    ResponseBody,
    ResponseTool,
    TextFormat,
)
from edge_agent.server.services import Defaults
from edge_agent.server.surface import RESPONSES

Json = dict[str, Any]
OWN = frozenset({"messages", "model", "stream", "stream_options", "n"})  # not to be overruled
NAMES = (
    ("response_format.json_schema", "text.format.schema"),
    ("response_format", "text.format"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    (".function.", "."),
    ("messages", "input"),
)
LOGPROBS = "message.output_text.logprobs"
ANY: tuple[Json, ...] = ({"role": "user", "content": "?"},)


def to_request(
    body: CountBody, messages: tuple[Message, ...], defaults: Defaults, name: str = ""
) -> ChatRequest:
    """Raises RequestError and NotSupported, naming the field, and what FastAPI raises for a wrong
    type in a field of llama-server's. `name` is the response's id."""
    text = body.text.model_dump() if body.text else None
    RESPONSES.check({**(body.model_extra or {}), "text": text})
    try:
        asked = to_chat_request(ChatBody.model_validate(_chat_body(body)), defaults, name)
    except ValidationError as error:
        located = [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
        raise RequestValidationError(located) from None
    except RequestError as error:
        raise renamed(error, NAMES) from None
    in_background = isinstance(body, ResponseBody) and body.background
    priority = max(asked.priority, 1) if in_background else asked.priority
    return replace(asked, messages=messages, prefill="", priority=priority)


def _chat_body(body: CountBody) -> Json:
    """The body of a chat completion that asks for the same, but for its messages."""
    more = {name: value for name, value in (body.model_extra or {}).items() if name not in OWN}
    choice, tools = _choice(body)
    return {
        **more,
        "messages": list(ANY),
        "tools": [_tool(tool, index) for index, tool in enumerate(tools)] or None,
        "tool_choice": choice,
        "parallel_tool_calls": body.parallel_tool_calls,
        "response_format": _format(body.text.format if body.text else None),
        **({"reasoning_effort": body.reasoning.effort} if body.reasoning else {}),
        **(_drawn(body) if isinstance(body, ResponseBody) else {}),
    }


def _drawn(body: ResponseBody) -> Json:
    logprobs = bool(body.top_logprobs) or LOGPROBS in (body.include or ())
    return {
        "max_completion_tokens": body.max_output_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "logprobs": logprobs or None,
        "top_logprobs": body.top_logprobs if logprobs else None,
    }


def _tool(tool: ResponseTool, index: int) -> Json:
    where = f"tools[{index}]"
    if tool.type != "function":
        raise NotSupported(f"{where}.type: {tool.type} is not supported: use function.", where)
    if not tool.name:
        raise RequestError(f"{where}.name: this field is required.", f"{where}.name")
    given = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": given}


def _choice(body: CountBody) -> tuple[Any, Sequence[ResponseTool]]:
    """tool_choice in the words of a chat completion, and the tools that it leaves."""
    choice, tools = body.tool_choice, body.tools or []
    if not isinstance(choice, ChoiceObject):
        return choice, tools
    if choice.type == "function" and choice.name:
        return {"type": "function", "function": {"name": choice.name}}, tools
    if choice.type == "allowed_tools" and choice.tools:
        return choice.mode or "auto", _allowed(choice.tools, tools)
    if choice.type in ("function", "allowed_tools"):
        field = "name" if choice.type == "function" else "tools"
        where = f"tool_choice.{field}"
        raise RequestError(f"{where}: this field is required.", where)
    raise NotSupported(f"tool_choice: {choice.type} is not supported: use function.", "tool_choice")


def _allowed(named: Sequence[Json], tools: Sequence[ResponseTool]) -> list[ResponseTool]:
    names = [str(each.get("name")) for each in named]
    unknown = [name for name in names if all(tool.name != name for tool in tools)]
    if unknown:
        raise RequestError(
            f"tool_choice.tools: {unknown[0]} is not among the tools given.", "tool_choice.tools"
        )
    return [tool for tool in tools if tool.name in names]


def _format(wanted: TextFormat | None) -> Json | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "json_object"}
    if wanted.schema_ is None:
        where = "text.format.schema"
        raise RequestError(f"{where}: this field is required.", where)
    named = {"name": wanted.name or "", "schema": wanted.schema_, "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": named}
