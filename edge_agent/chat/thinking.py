"""A request's wishes about thinking to the ids that the engine counts and closes thoughts by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.chat.formats import THINK_CLOSE, THINK_OPEN, Format
from edge_agent.chat.messages import ChatRequest
from edge_agent.chat.prompt import Rendered
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.core.thought import ThoughtMeter
from edge_agent.engine.params import ThoughtLimit


def settled(request: ChatRequest) -> ChatRequest:
    """A budget of nothing is a turn without thoughts, which templates know how to open."""
    return replace(request, thinking=False) if request.thinking_budget == 0 else request


def thought_limit(
    request: ChatRequest, form: Format, rendered: Rendered, vocab: Vocabulary
) -> ThoughtLimit | None:
    """None where no thought can come: the model does not think, or the prompt is past it."""
    if not form.thinks or rendered.thought_over:
        return None
    end = _marker(THINK_CLOSE, vocab)
    said = f"\n\n{request.thinking_close}" if request.thinking_close else ""
    return ThoughtLimit(
        # a template without a switch opens the turn as ever: then the engine is the switch
        budget=0 if request.thinking is False else request.thinking_budget,
        start=_marker(THINK_OPEN, vocab),
        end=end,
        closing=(*vocab.encode(f"{said}\n", special=False), *end),
        begun=rendered.opens_thought,
    )


def _marker(text: str, vocab: Vocabulary) -> tuple[int, ...]:
    token = vocab.token_id(text)
    return tuple(vocab.encode(text)) if token is None else (token,)


def thought_tokens(ids: Sequence[int], limit: ThoughtLimit | None) -> int:
    """How many of the generated ids stand between the thinking markers."""
    if limit is None:
        return 0
    meter = ThoughtMeter(limit)
    meter.feed(ids)
    return meter.n_thought
