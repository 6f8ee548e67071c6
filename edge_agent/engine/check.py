"""What a request may ask of the engine: what llama.cpp would answer by ending the process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from edge_agent.engine.params import GenerateParams, ModelInfo, SamplingParams
from edge_agent.errors import ContextOverflow, RequestError

FINITE = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
)


def check_request(prompt: Sequence[int], params: GenerateParams, info: ModelInfo) -> None:
    """Raise ContextOverflow or RequestError unless llama.cpp can carry the request out."""
    if not prompt:
        raise RequestError("The prompt is empty: send at least one token.")
    if len(prompt) >= info.n_ctx:
        raise ContextOverflow(len(prompt), info.n_ctx)
    _check_ids(prompt, info.n_vocab, "prompt")
    if params.max_tokens is not None and params.max_tokens < 0:
        raise RequestError("max_tokens is negative: leave it out for no limit.", "max_tokens")
    _check_sampling(params.sampling, info.n_vocab)


def _check_ids(ids: Iterable[int], n_vocab: int, param: str) -> None:
    array = np.asarray(list(ids))
    whole = array.dtype.kind in "iu" or not array.size
    if not whole or (array.size and (array.min() < 0 or array.max() >= n_vocab)):
        raise RequestError(
            f"A token id of {param} is not one of this model: they go from 0 to {n_vocab - 1}.",
            param,
        )


def _check_sampling(params: SamplingParams, n_vocab: int) -> None:
    for name in FINITE:
        if not math.isfinite(getattr(params, name)):
            raise RequestError(f"{name} must be a finite number.", name)
    if params.repeat_penalty <= 0:
        raise RequestError("repeat_penalty divides: it must be above 0.", "repeat_penalty")
    _check_ids((id for id, _ in params.logit_bias), n_vocab, "logit_bias")
    if any(math.isnan(bias) or bias == math.inf for _, bias in params.logit_bias):
        raise RequestError("A bias of logit_bias must be a number below infinity.", "logit_bias")
