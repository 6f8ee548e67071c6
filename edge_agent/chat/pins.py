"""How much of a prompt is the same for every conversation: the system message and the tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile

from edge_agent.chat.messages import ChatRequest, Message

Render = Callable[[ChatRequest], Sequence[int]]
_PROBE = "\ufdd2"  # a noncharacter (Unicode 23.7), so that no real message begins alike


def pinned(request: ChatRequest, ids: Sequence[int], render: Render) -> int:
    """How many first ids of the prompt do not depend on what the user says; 0 without a pin.

    The prompt is rendered once more with another user message: what both have in common is it.
    """
    system = tuple(takewhile(lambda message: message.role == "system", request.messages))
    if not request.pin or not (system or request.tools):
        return 0
    other = replace(request, messages=(*system, Message("user", _PROBE)), prefill="")
    pairs = zip(ids, render(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
