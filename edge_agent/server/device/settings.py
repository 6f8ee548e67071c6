"""How tokens are drawn, in llama-server's words."""

from __future__ import annotations

from typing import Any

from edge_agent.engine.params import SamplingParams

ANY_SEED = 0xFFFFFFFF  # llama-server's word for a fresh one each time


def sampling_settings(sampling: SamplingParams) -> dict[str, Any]:
    """The fields of generation_settings that say how a token is chosen."""
    return {
        "seed": ANY_SEED if sampling.seed is None else sampling.seed,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "typical_p": sampling.typical_p,
        "repeat_last_n": sampling.penalty_last_n,
        "repeat_penalty": sampling.repeat_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "dry_multiplier": sampling.dry_multiplier,
        "dry_base": sampling.dry_base,
        "dry_allowed_length": sampling.dry_allowed_length,
        "dry_penalty_last_n": sampling.dry_penalty_last_n,
        "dry_sequence_breakers": list(sampling.dry_breakers),
        "logit_bias": [biased(token, bias) for token, bias in sampling.logit_bias],
    }


def biased(token: int, bias: float | None) -> dict[str, Any]:
    """A token and its bias; a ban has no number in JSON."""
    return {"token": token, "bias": None if bias in (None, float("-inf")) else bias}
