"""From the body of a message to a ChatRequest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.chat.messages import ChatRequest
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import RequestError
from edge_agent.server.completions.effort import BUDGETS
from edge_agent.server.messages.schemas import Block, MessagesBody, Tool
from edge_agent.server.messages.tools import tool_choice_of, tools_of
from edge_agent.server.messages.turns import messages_of
from edge_agent.server.services import Defaults
from edge_agent.server.surface import MESSAGES


def to_request(body: MessagesBody, defaults: Defaults, name: str = "") -> ChatRequest:
    """Raises RequestError and NotSupported, naming the field. `name` is the message's id."""
    MESSAGES.check(body.model_extra)
    messages, prefill = messages_of(body.messages, body.system)
    tools = tools_of(body.tools or [])
    thinking = _thinking(body, defaults.thinking)
    return ChatRequest(
        messages=messages,
        tools=tools,
        tool_choice=tool_choice_of(body.tool_choice, tools),
        parallel_tool_calls=not (body.tool_choice and body.tool_choice.disable_parallel_tool_use),
        response_schema=_schema(body),
        sampling=_sampling(body, defaults.sampling),
        max_tokens=body.max_tokens or defaults.max_tokens,
        stop=tuple(body.stop_sequences or ()),
        thinking=thinking.wanted,
        thinking_budget=thinking.budget,
        prefill=prefill,
        pin=_pinned(body),
        strict_calls=True,
        live_calls=bool(body.stream),
        progress=bool(body.stream),
        name=name,
        template_kwargs=thinking.told,
    )


@dataclass(frozen=True, slots=True)
class _Thinking:
    """What a body says about thinking, as `ChatRequest` has it; `told` is for the template."""

    wanted: bool | None
    budget: int | None
    told: Mapping[str, Any]


def _thinking(body: MessagesBody, default: bool | None) -> _Thinking:
    """Without `thinking`, and where it is adaptive, it is the server's and the model's to say."""
    effort = body.output_config.effort if body.output_config else None
    told = {"reasoning_effort": "high" if effort == "max" else effort} if effort else {}
    budget = BUDGETS.get(effort) if effort else None
    asked = body.thinking
    if asked is None or asked.type == "adaptive":
        return _Thinking(default, budget, told)
    if asked.type == "disabled":
        return _Thinking(False, 0, {})
    return _Thinking(True, _budget(body, asked.budget_tokens), told)


def _budget(body: MessagesBody, tokens: int | None) -> int:
    field = "thinking.budget_tokens"
    if tokens is None:
        raise RequestError(f"{field}: this field is required.", field)
    if body.max_tokens is not None and tokens >= body.max_tokens:
        raise RequestError(f"{field}: it must be less than max_tokens.", field)
    return tokens


def _schema(body: MessagesBody) -> Mapping[str, Any] | None:
    form = (body.output_config and body.output_config.format) or body.output_format
    return form.schema_ if form else None


def _sampling(body: MessagesBody, defaults: SamplingParams) -> SamplingParams:
    """A top_k or a seed of -1 is "any", as in llama-server."""
    asked = defaults.with_(
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=None if body.top_k is None else max(0, body.top_k),
        seed=body.seed,
    )
    return replace(asked, seed=None) if body.seed == -1 else asked


def _pinned(body: MessagesBody) -> bool:
    marked: Iterable[Block | Tool] = [
        *(body.system if isinstance(body.system, list) else []),
        *(body.tools or []),
    ]
    return any(one.cache_control for one in marked)
