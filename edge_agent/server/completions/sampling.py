"""From the body of a completion to how its tokens are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from edge_agent.engine.params import SamplingParams
from edge_agent.errors import RequestError
from edge_agent.server.completions.schemas import ChatBody, Sampled

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
Encode = Callable[[str], Sequence[int]]
Biases = tuple[tuple[int, float], ...]


def sampling_of(
    body: Sampled, defaults: SamplingParams, encode: Encode | None = None
) -> SamplingParams:
    """`defaults` with what the body names. Raises RequestError for a logit_bias of no token.

    llama-server's numbers for "off" and "any" hold: top_k -1, seed -1. encode: tells the tokens of
    a text that a logit_bias names; without it only ids are taken.
    """
    breakers = body.dry_sequence_breakers
    asked = defaults.with_(
        **{name: getattr(body, name) for name in SAME_NAME},
        top_k=None if body.top_k is None else max(0, body.top_k),
        penalty_last_n=body.repeat_last_n,
        dry_breakers=None if breakers is None else tuple(b for b in breakers if b),
        logit_bias=None if body.logit_bias is None else _biases(body.logit_bias, encode),
    )
    return replace(asked, seed=None) if body.seed == -1 else asked


def _biases(given: Any, encode: Encode | None) -> Biases:
    pairs = given.items() if isinstance(given, dict) else map(_pair, given)
    return tuple((id, _added(added)) for key, added in pairs for id in _ids(key, encode))


def _pair(pair: Sequence[Any]) -> Sequence[Any]:
    if len(pair) != 2:
        raise RequestError("logit_bias: each item is a pair of a token and a bias.", "logit_bias")
    return pair


def _ids(key: Any, encode: Encode | None) -> Iterable[int]:
    if isinstance(key, int) and not isinstance(key, bool) and len(str(key)) <= LONGEST_ID:
        return (key,)
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= LONGEST_ID:
        return (int(key),)
    if not isinstance(key, str) or encode is None:
        raise RequestError(f"logit_bias: {str(key)[:40]!r} is not a token id.", "logit_bias")
    return encode(key)


def _added(added: Any) -> float:
    """False bans a token, as in llama-server."""
    if added is False:
        return -math.inf
    if isinstance(added, bool) or not isinstance(added, int | float):
        raise RequestError("logit_bias: a bias is a number, or false for a ban.", "logit_bias")
    return float(added)


def n_logprobs(body: ChatBody) -> int | None:
    """How many alternatives to tell at each token; None tells nothing. Raises RequestError."""
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise RequestError("top_logprobs needs logprobs: true beside it.", "top_logprobs")
    return None
