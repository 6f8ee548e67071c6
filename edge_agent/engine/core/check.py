"""What a request may ask of the engine: what llama.cpp would answer by ending the process, or by
quietly doing something else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from edge_agent.engine.params import GenerateParams, ModelInfo, SamplingParams, ThoughtLimit
from edge_agent.errors import ContextOverflow, RequestError

FINITE = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "dry_multiplier",
    "dry_base",
)
INT32 = ("top_k", "penalty_last_n", "dry_penalty_last_n", "dry_allowed_length")
INT32_MAX = 2**31 - 1
MAX_TOP_LOGPROBS = 20  # as OpenAI's API
MAX_BREAKERS = 16  # each costs a walk through the vocabulary
MAX_BREAKER_BYTES = 40  # llama.cpp cuts longer ones (MAX_CHAR_LEN in llama_sampler_init_dry)


def check_request(
    prompt: Sequence[int], params: GenerateParams, info: ModelInfo, n_parallel: int
) -> None:
    """Raise ContextOverflow or RequestError unless the engine can carry the request out."""
    if not prompt:
        raise RequestError("The prompt is empty: send at least one token.")
    if len(prompt) >= info.n_ctx:
        raise ContextOverflow(len(prompt), info.n_ctx)
    _check_ids(prompt, info.n_vocab, "prompt")
    _check_counts(params, n_parallel)
    _check_ids(params.stop_ids, info.n_vocab, "stop_ids")
    _check_sampling(params.sampling, info.n_vocab)
    if params.thought is not None:
        _check_thought(params.thought, info.n_vocab)


def _check_ids(ids: Iterable[int], n_vocab: int, param: str) -> None:
    array = np.asarray(list(ids))
    whole = array.dtype.kind in "iu" or not array.size
    if not whole or (array.size and (array.min() < 0 or array.max() >= n_vocab)):
        raise RequestError(
            f"A token id of {param} is not one of this model: they go from 0 to {n_vocab - 1}.",
            param,
        )


def _check_counts(params: GenerateParams, n_parallel: int) -> None:
    if params.max_tokens is not None and params.max_tokens < 0:
        raise RequestError("max_tokens is negative: leave it out for no limit.", "max_tokens")
    if params.n < 1:
        raise RequestError(f"n is {params.n}: ask for at least one continuation.", "n")
    if params.n > n_parallel:
        raise RequestError(
            f"n is {params.n} but the engine runs at most {n_parallel} sequences at once: ask for "
            f"fewer, or start the server with --parallel {params.n}.",
            "n",
        )
    if params.n_logprobs is not None and not 0 <= params.n_logprobs <= MAX_TOP_LOGPROBS:
        raise RequestError(
            f"top_logprobs is {params.n_logprobs}: it goes from 0 to {MAX_TOP_LOGPROBS}.",
            "top_logprobs",
        )
    if params.pin < 0:
        raise RequestError(f"pin is {params.pin}: a number of tokens is not negative.", "pin")


def _check_sampling(params: SamplingParams, n_vocab: int) -> None:
    for name in FINITE:
        if not math.isfinite(getattr(params, name)):
            raise RequestError(f"{name} must be a finite number.", name)
    for name in INT32:
        if getattr(params, name) > INT32_MAX:
            raise RequestError(f"{name} must be at most {INT32_MAX}.", name)
    for name in ("penalty_last_n", "dry_penalty_last_n"):
        if getattr(params, name) < -1:
            raise RequestError(f"{name} must be at least 0, or -1 for the whole window.", name)
    if params.repeat_penalty <= 0:
        raise RequestError("repeat_penalty divides: it must be above 0.", "repeat_penalty")
    _check_dry(params)
    _check_biases(params.logit_bias, n_vocab)


def _check_dry(params: SamplingParams) -> None:
    if params.dry_multiplier < 0:
        raise RequestError("dry_multiplier must be at least 0, which is off.", "dry_multiplier")
    if params.dry_base < 1:
        raise RequestError("dry_base must be at least 1.", "dry_base")
    if params.dry_allowed_length < 0:
        raise RequestError("dry_allowed_length must be at least 0.", "dry_allowed_length")
    if len(params.dry_breakers) > MAX_BREAKERS:
        raise RequestError(
            f"{len(params.dry_breakers)} DRY sequence breakers were given: at most {MAX_BREAKERS} "
            "are looked for.",
            "dry_sequence_breakers",
        )
    for text in params.dry_breakers:
        size = len(text.encode(errors="replace"))
        if not 1 <= size <= MAX_BREAKER_BYTES or "\0" in text:
            raise RequestError(
                f"A DRY sequence breaker must have 1 to {MAX_BREAKER_BYTES} bytes and no NUL; "
                f"one has {size}.",
                "dry_sequence_breakers",
            )


def _check_biases(biases: Sequence[tuple[int, float]], n_vocab: int) -> None:
    _check_ids((id for id, _ in biases), n_vocab, "logit_bias")
    if any(math.isnan(bias) or bias == math.inf for _, bias in biases):
        raise RequestError("A bias of logit_bias must be a number below infinity.", "logit_bias")


def _check_thought(limit: ThoughtLimit, n_vocab: int) -> None:
    for ids in (limit.start, limit.end, limit.closing):
        _check_ids(ids, n_vocab, "thought")
    if limit.budget is not None and limit.budget < 0:
        raise RequestError(
            "The thinking budget is negative: 0 is no thought, leave it out for no limit.",
            "thinking_budget",
        )
    if not limit.start or not limit.end or not _holds(limit.closing, limit.end):
        raise RequestError(
            "The ids that close a thought do not hold its end marker.", "thinking_budget"
        )


def _holds(ids: tuple[int, ...], part: tuple[int, ...]) -> bool:
    return any(ids[i : i + len(part)] == part for i in range(len(ids)))
