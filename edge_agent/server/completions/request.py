"""From the body of a chat completion to a ChatRequest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edge_agent.chat.messages import ChatRequest, Message, Role, ToolCall
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.effort import thinking_of
from edge_agent.server.completions.form import grammar_of, schema_of
from edge_agent.server.completions.sampling import n_logprobs, sampling_of
from edge_agent.server.completions.schemas import ChatBody, Part, WireMessage
from edge_agent.server.completions.tools import tool_choice_of, tools_of
from edge_agent.server.services import Defaults
from edge_agent.server.surface import CHAT

# What stands between the parts of a message, as in llama-server.
LINE, PARAGRAPH = "\n", "\n\n"
PRIORITIES = {"interactive": 0, "background": 1}


def to_request(body: ChatBody, defaults: Defaults, name: str = "") -> ChatRequest:
    """Raises RequestError and NotSupported, naming the field. `name` is the completion's id.

    A last message of role assistant is the beginning of the answer, as llama-server has it.
    """
    CHAT.check(body.model_extra)
    messages, prefill = _begun(body, [_message(m, i) for i, m in enumerate(body.messages)])
    thinking = thinking_of(body)
    tools = tools_of(body.tools or [])
    return ChatRequest(
        messages=messages,
        tools=tools,
        tool_choice=tool_choice_of(body.tool_choice, tools),
        parallel_tool_calls=body.parallel_tool_calls is not False,
        response_schema=schema_of(body),
        grammar=grammar_of(body),
        sampling=sampling_of(body, defaults.sampling),
        max_tokens=_max_tokens(body, defaults.max_tokens),
        stop=stops_of(body.stop),
        thinking=defaults.thinking if thinking.thinking is None else thinking.thinking,
        thinking_budget=thinking.budget,
        thinking_close=thinking.close,
        prefill=prefill,
        priority=PRIORITIES[body.priority or "interactive"],
        n=body.n or 1,
        n_logprobs=n_logprobs(body),
        speculate=body.speculative,
        fresh=body.cache_prompt is False,
        pin=bool(body.pin_prompt),
        opening=body.add_generation_prompt is not False or bool(body.continue_final_message),
        ignore_eos=bool(body.ignore_eos),
        strict_calls=True,
        live_calls=bool(body.stream),
        progress=bool(body.stream and (body.timings_per_token or body.return_progress)),
        name=name,
        template_kwargs=thinking.template_kwargs,
    )


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
        content=_text(message.content, where, PARAGRAPH if role == "assistant" else LINE),
        thought=message.reasoning_content or None,
        tool_calls=calls,
        tool_call_id=message.tool_call_id,
        name=message.name,
    )


def _arguments(arguments: str | dict[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _text(content: str | Sequence[Part] | None, where: str, between: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for number, part in enumerate(content):
        here = f"{where}.content[{number}]"
        if part.type != "text":
            raise NotSupported(f"{here}: {part.type} is not supported: send text only.", here)
        if part.text is None:
            raise RequestError(f"{here}.text: this field is required.", f"{here}.text")
    return between.join(part.text or "" for part in content)


def _begun(body: ChatBody, messages: list[Message]) -> tuple[tuple[Message, ...], str]:
    """The messages, and the beginning of the answer, if the last of them is that.

    `continue_final_message` and `add_generation_prompt` are vLLM's words for whether it is.
    """
    goes_on = body.continue_final_message
    if goes_on and body.add_generation_prompt:
        raise RequestError(
            "continue_final_message and add_generation_prompt exclude each other: the last message "
            "is continued, or a new one is begun.",
            "continue_final_message",
        )
    if goes_on and (messages[-1].role != "assistant" or messages[-1].tool_calls):
        raise RequestError(
            "continue_final_message: the last message is not a text of the assistant's.",
            "continue_final_message",
        )
    if goes_on is False or (goes_on is None and body.add_generation_prompt is False):
        return tuple(messages), ""
    return split_prefill(messages)


def split_prefill(messages: Sequence[Message]) -> tuple[tuple[Message, ...], str]:
    """The messages and the beginning of the answer, which a last one of the assistant is.

    Raises RequestError.
    """
    last = messages[-1]
    if last.role != "assistant" or last.tool_calls or last.thought:
        return tuple(messages), ""
    if len(messages) == 1 or messages[-2].role == "assistant":
        raise RequestError(
            "messages: a last assistant message is continued, so it must follow another role.",
            "messages",
        )
    return tuple(messages[:-1]), last.content


def _max_tokens(body: ChatBody, default: int | None) -> int | None:
    """-1 asks for the rest of the window, as in llama-server."""
    for field in ("max_completion_tokens", "max_tokens", "n_predict"):
        value: int | None = getattr(body, field)
        if value is not None:
            if value < 1 and value != -1:
                raise RequestError(f"{field} must be at least 1, or -1 for no limit.", field)
            return None if value == -1 else value
    return default


def stops_of(stop: str | list[str] | None) -> tuple[str, ...]:
    """No stop and the empty string are the same."""
    if isinstance(stop, str):
        return (stop,) if stop else ()
    return tuple(stop or ())
