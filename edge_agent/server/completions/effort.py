"""How much a model may think: the words and the numbers that clients send for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edge_agent.errors import RequestError
from edge_agent.server.completions.schemas import ChatBody

# reasoning_effort in tokens of thought, None is no limit. For a 4B model in a window of 8K to 32K
# tokens: "medium" leaves half of the smallest window to the prompt and the answer. "none" is a turn
# without thoughts.
BUDGETS: Mapping[str, int | None] = MappingProxyType(
    {"none": 0, "minimal": 256, "low": 1024, "medium": 4096, "high": None, "xhigh": None}
)


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a request says about thinking, as `ChatRequest` has it."""

    thinking: bool | None
    budget: int | None
    close: str
    template_kwargs: Mapping[str, Any]


def thinking_of(body: ChatBody) -> Thinking:
    """A number of tokens goes before a word; -1 is no limit, as in llama-server.

    Raises RequestError. The word is also told to the template, for models that know it.
    """
    extra = dict(body.chat_template_kwargs or {})
    thinking = extra.pop("enable_thinking", None)
    if thinking is not None and not isinstance(thinking, bool):
        field = "chat_template_kwargs.enable_thinking"
        raise RequestError(f"{field}: Input should be true or false.", field)
    effort, tokens = body.reasoning_effort, body.thinking_budget_tokens
    budget = BUDGETS[effort] if effort else None
    if tokens is not None:
        budget = None if tokens == -1 else tokens
    if budget == 0:
        thinking = False
    elif effort:
        extra.setdefault("reasoning_effort", effort)
    return Thinking(thinking, budget, body.thinking_budget_message or "", extra)
