"""What a completion cost, in OpenAI's words and in llama-server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from edge_agent.chat.messages import Done
from edge_agent.engine.params import Usage

Json = dict[str, Any]


def total(dones: Sequence[Done]) -> Usage:
    """The choices of one prompt together: the prompt counts once, and they ran side by side."""
    each = [done.usage for done in dones]
    return replace(
        reduce(add, each),
        prompt_tokens=each[0].prompt_tokens,
        cached_tokens=min(used.cached_tokens for used in each),  # the others share the first's
        prompt_s=max(used.prompt_s for used in each),
        predict_s=max(used.predict_s for used in each),
    )


def usage(dones: Sequence[Done]) -> Json:
    """OpenAI's usage object. Predicted tokens are those that speculation guessed ahead."""
    used = total(dones)
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": sum(done.thought_tokens for done in dones),
            "accepted_prediction_tokens": used.accepted_tokens,
            "rejected_prediction_tokens": used.drafted_tokens - used.accepted_tokens,
        },
    }


def timings(dones: Sequence[Done]) -> Json:
    """llama-server's timings: prompt_n counts the prompt tokens that were computed."""
    used = total(dones)
    drafts = {"draft_n": used.drafted_tokens, "draft_n_accepted": used.accepted_tokens}
    return {
        "cache_n": used.cached_tokens,
        **_rates("prompt", used.prompt_tokens - used.cached_tokens, used.prompt_s),
        **_rates("predicted", used.completion_tokens, used.predict_s),
        **(drafts if used.drafted_tokens else {}),
    }


def _rates(what: str, tokens: int, seconds: float) -> Json:
    return {
        f"{what}_n": tokens,
        f"{what}_ms": round(seconds * 1000, 3),
        f"{what}_per_token_ms": round(seconds * 1000 / tokens, 3) if tokens else 0.0,
        f"{what}_per_second": round(tokens / seconds, 3) if seconds > 0 else 0.0,
    }
