"""From the body of a chat completion to a ChatRequest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edge_agent.chat.messages import (
    ChatRequest,
    Message,
    NamedTool,
    Role,
    ToolCall,
    ToolChoice,
    ToolSpec,
)
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.schemas import ChatBody, ChosenTool, Part, WireMessage, WireTool
from edge_agent.server.services import Defaults

# Fields that would change the answer and that nothing here honours: named rather than dropped.
UNSUPPORTED = {
    "logprobs": "log probabilities are not returned",
    "top_logprobs": "log probabilities are not returned",
    "functions": "use tools instead",
    "function_call": "use tool_choice instead",
    "grammar": "use response_format with a JSON Schema instead",
}
LONGEST_ID = 9  # digits of a token id; more would not fit the engine's 32 bits
SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
)


def to_request(body: ChatBody, defaults: Defaults) -> ChatRequest:
    """Raises RequestError and NotSupported, naming the field.

    A last message of role assistant is the beginning of the answer, as llama-server has it.
    """
    _check_supported(body)
    messages, prefill = _split_prefill([_message(m, i) for i, m in enumerate(body.messages)])
    thinking, template_kwargs = _thinking(body)
    tools = _tools(body.tools or [])
    return ChatRequest(
        messages=messages,
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        response_schema=_response_schema(body),
        sampling=_sampling(body, defaults.sampling),
        max_tokens=_max_tokens(body, defaults.max_tokens),
        stop=_stop(body.stop),
        thinking=thinking,
        prefill=prefill,
        template_kwargs=template_kwargs,
    )


def _check_supported(body: ChatBody) -> None:
    if body.n is not None and body.n < 1:
        raise RequestError("n must be 1.", param="n")
    if body.n is not None and body.n > 1:
        raise NotSupported("n is not supported above 1: send the request again instead.", "n")
    for field, reason in UNSUPPORTED.items():
        if getattr(body, field):
            raise NotSupported(f"{field} is not supported: {reason}.", field)


def _message(message: WireMessage, index: int) -> Message:
    where = f"messages[{index}]"
    role: Role = "system" if message.role == "developer" else message.role
    calls = tuple(
        ToolCall(call.id, call.function.name, _arguments(call.function.arguments))
        for call in message.tool_calls or []
    )
    if calls and role != "assistant":
        raise RequestError(f"{where}.tool_calls: only an assistant message has them.", where)
    if message.content is None and not (calls or message.reasoning_content):
        raise RequestError(f"{where}.content: this {message.role} message has none.", where)
    return Message(
        role=role,
        content=_text(message.content, where),
        thought=message.reasoning_content or None,
        tool_calls=calls,
        tool_call_id=message.tool_call_id,
        name=message.name,
    )


def _arguments(arguments: str | dict[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _text(content: str | Sequence[Part] | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for number, part in enumerate(content):
        here = f"{where}.content[{number}]"
        if part.type != "text":
            raise NotSupported(f"{here}: {part.type} is not supported: send text only.", here)
        if part.text is None:
            raise RequestError(f"{here}.text: this field is required.", f"{here}.text")
    return "".join(part.text or "" for part in content)


def _split_prefill(messages: list[Message]) -> tuple[tuple[Message, ...], str]:
    last = messages[-1]
    if last.role != "assistant" or last.tool_calls or last.thought:
        return tuple(messages), ""
    if len(messages) == 1 or messages[-2].role == "assistant":
        raise RequestError(
            "messages: a last assistant message is continued, so it must follow another role.",
            "messages",
        )
    return tuple(messages[:-1]), last.content


def _tools(tools: Sequence[WireTool]) -> tuple[ToolSpec, ...]:
    specs: dict[str, ToolSpec] = {}
    for index, tool in enumerate(tools):
        spec = _tool(tool, f"tools[{index}]")
        if spec.name in specs:
            raise RequestError(f"tools[{index}]: there are two tools named {spec.name}.", "tools")
        specs[spec.name] = spec
    return tuple(specs.values())


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


def _tool_choice(body: ChatBody, tools: Sequence[ToolSpec]) -> ToolChoice:
    choice = body.tool_choice
    if choice is None or choice in ("none", "auto"):
        return "none" if choice == "none" else "auto"
    if isinstance(choice, ChosenTool):
        return _named_tool(choice.function.name, tools)
    if not tools:
        raise RequestError("tool_choice: required needs tools to choose from.", "tool_choice")
    return "required"


def _named_tool(name: str, tools: Sequence[ToolSpec]) -> NamedTool:
    if all(tool.name != name for tool in tools):
        known = ", ".join(tool.name for tool in tools) or "none"
        raise RequestError(
            f"tool_choice: {name} is not among the tools given ({known}).", "tool_choice"
        )
    return NamedTool(name)


def _response_schema(body: ChatBody) -> dict[str, Any] | None:
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return wanted.schema_ or {}
    if wanted.json_schema is None:
        field = "response_format.json_schema"
        raise RequestError(f"{field}: this field is required.", field)
    return wanted.json_schema.schema_


def _sampling(body: ChatBody, defaults: SamplingParams) -> SamplingParams:
    changes: dict[str, object] = {name: getattr(body, name) for name in SAMPLING}
    if body.top_k is not None:
        changes["top_k"] = max(0, body.top_k)
    asked = defaults.with_(
        **changes,
        penalty_last_n=body.repeat_last_n,
        seed=body.seed,
        logit_bias=_logit_bias(body.logit_bias),
    )
    return replace(asked, seed=None) if body.seed == -1 else asked


def _logit_bias(bias: dict[str, float] | None) -> tuple[tuple[int, float], ...] | None:
    if bias is None:
        return None
    for token in bias:
        if not (token.isascii() and token.isdigit() and len(token) <= LONGEST_ID):
            raise RequestError(f"logit_bias: {token[:40]!r} is not a token id.", "logit_bias")
    return tuple((int(token), added) for token, added in bias.items())


def _max_tokens(body: ChatBody, default: int | None) -> int | None:
    """-1 asks for the rest of the window, as in llama-server."""
    for field in ("max_completion_tokens", "max_tokens"):
        value: int | None = getattr(body, field)
        if value is not None:
            if value < 1 and value != -1:
                raise RequestError(f"{field} must be at least 1, or -1 for no limit.", field)
            return None if value == -1 else value
    return default


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    """No stop and the empty string are the same."""
    if isinstance(stop, str):
        return (stop,) if stop else ()
    return tuple(stop or ())


def _thinking(body: ChatBody) -> tuple[bool | None, dict[str, Any]]:
    """Whether to think, and what else the template is told."""
    extra = dict(body.chat_template_kwargs or {})
    thinking = extra.pop("enable_thinking", None)
    if thinking is not None and not isinstance(thinking, bool):
        field = "chat_template_kwargs.enable_thinking"
        raise RequestError(f"{field}: Input should be true or false.", field)
    if body.reasoning_effort == "none":
        return False, extra
    if body.reasoning_effort:
        extra.setdefault("reasoning_effort", body.reasoning_effort)
    return thinking, extra
