"""What a completion cost, in OpenAI's words and in llama-server's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from edge_agent.chat.messages import Done, Progress
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
    """`timings_of` the choices of one prompt together."""
    return timings_of(total(dones), len(dones))


def timings_of(used: Usage, n: int = 1) -> Json:
    """llama-server's timings: prompt_n counts the prompt tokens that were computed.

    The first token of each of `n` choices comes with the prompt and took no step of its own, so the
    rate of writing is over those behind it.
    """
    prompt_n = used.prompt_tokens - used.cached_tokens
    if not used.completion_tokens and not used.prompt_s:
        prompt_n = 0  # nothing is computed yet
    drafts = {"draft_n": used.drafted_tokens, "draft_n_accepted": used.accepted_tokens}
    return {
        "cache_n": used.cached_tokens,
        **_rates("prompt", prompt_n, used.prompt_s, prompt_n),
        **_rates(
            "predicted",
            used.completion_tokens,
            used.predict_s,
            max(used.completion_tokens - n, 0),
        ),
        **(drafts if used.drafted_tokens else {}),
    }


def prompt_progress(progress: Progress) -> Json:
    """llama-server's account of a prompt that is being computed."""
    return {
        "total": progress.usage.prompt_tokens,
        "cache": progress.usage.cached_tokens,
        "processed": progress.processed,
        "time_ms": round(progress.usage.prompt_s * 1000),
    }


def progress_timings(progress: Progress) -> Json:
    """The timings up to here; of a prompt that is being computed, its part that is done."""
    used = progress.usage
    if not used.completion_tokens:
        used = replace(used, prompt_tokens=progress.processed)
    return timings_of(used)


def _rates(what: str, tokens: int, seconds: float, steps: int) -> Json:
    ms = seconds * 1000
    return {
        f"{what}_n": tokens,
        f"{what}_ms": ms,
        f"{what}_per_token_ms": ms / steps if steps else 0.0,
        f"{what}_per_second": 1000 / ms * steps if ms > 0 else 0.0,
    }
