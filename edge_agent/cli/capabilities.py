"""What a model can be asked for, as /v1/models tells it."""

from __future__ import annotations

from edge_agent.chat.formats import THINK_OPEN, detect
from edge_agent.chat.text import TextModel


def capabilities_of(texts: TextModel | None, embeds: bool) -> tuple[str, ...]:
    """chat, tools (those of a client) and structured_output are had of every model. Those of a
    backend's model that cannot be known from here are left out."""
    always = ("chat", "tools", "structured_output")
    if texts is None:
        return always
    thinks = detect(texts.template, texts.token_id(THINK_OPEN) is not None).thinks
    return (
        *always,
        "completion",
        *(("thinking",) if thinks else ()),
        *(("embeddings", "rerank") if embeds else ()),
    )
