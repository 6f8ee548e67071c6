"""Log probabilities on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_agent.chat.messages import TokenLogprob

Json = dict[str, Any]
LEAST = -9999.0  # OpenAI's logarithm of a probability too small to tell; JSON has no infinity


def logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    """OpenAI's shape, for those who asked."""
    content = [with_top(told) for told in tokens]
    return {"logprobs": {"content": content, "refusal": None}} if content else {}


def with_top(told: TokenLogprob) -> Json:
    """A token with the likeliest at its place."""
    return {**token(told), "top_logprobs": [token(each) for each in told.top]}


def token(told: TokenLogprob) -> Json:
    """`token` is text, so half a character shows as U+FFFD there; `bytes` is exact."""
    return {
        "token": told.bytes.decode("utf-8", "replace"),
        "logprob": max(told.logprob, LEAST),
        "bytes": list(told.bytes),
        **({"id": told.id} if told.id >= 0 else {}),
    }
