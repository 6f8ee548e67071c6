"""From the body of a chat completion to how its tokens are drawn."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.engine.params import SamplingParams
from edge_agent.errors import RequestError
from edge_agent.server.completions.schemas import ChatBody

LONGEST_ID = 9  # digits of a token id; more would not fit the engine's 32 bits
SAME_NAME = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "seed",
)


def sampling_of(body: ChatBody, defaults: SamplingParams) -> SamplingParams:
    """`defaults` with what the body names. Raises RequestError for a logit_bias of no token.

    llama-server's numbers for "off" and "any" hold: top_k -1, seed -1.
    """
    breakers = body.dry_sequence_breakers
    asked = defaults.with_(
        **{name: getattr(body, name) for name in SAME_NAME},
        top_k=None if body.top_k is None else max(0, body.top_k),
        penalty_last_n=body.repeat_last_n,
        dry_breakers=None if breakers is None else tuple(b for b in breakers if b),
        logit_bias=_logit_bias(body.logit_bias),
    )
    return replace(asked, seed=None) if body.seed == -1 else asked


def _logit_bias(bias: dict[str, float] | None) -> tuple[tuple[int, float], ...] | None:
    if bias is None:
        return None
    for token in bias:
        if not (token.isascii() and token.isdigit() and len(token) <= LONGEST_ID):
            raise RequestError(f"logit_bias: {token[:40]!r} is not a token id.", "logit_bias")
    return tuple((int(token), added) for token, added in bias.items())


def n_logprobs(body: ChatBody) -> int | None:
    """How many alternatives to tell at each token; None tells nothing. Raises RequestError."""
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise RequestError("top_logprobs needs logprobs: true beside it.", "top_logprobs")
    return None
