"""The home of llama.cpp's samplers: how the next token of one sequence is drawn."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from edge_agent.engine.params import SamplingParams

KEEP = 1  # tokens a filter leaves at least
COLD = 1e-5  # a temperature below is greedy: logits divided by less may leave 32 bits
LARGEST = 1e6  # shift of a logit: as good as any larger one, and sums of it stay within 32 bits
NO_PENALTIES = (1.0, 0.0, 0.0)
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """llama.cpp's sampler chain for one sequence.

    The order is that of llama.cpp's own programs (`samplers` of struct common_params_sampling in
    common/common.h, and common_sampler_init in common/sampling.cpp, which puts the biases first and
    the draw last): biases, penalties, DRY, top_k, typical_p, top_p, min_p, temperature, draw. So
    the filters see probabilities at temperature 1. At temperature 0 the filters are left out.
    """

    def __init__(
        self, context: Any, vocab: Any, n_ctx: int, params: SamplingParams, seed: int
    ) -> None:
        self._context = context
        self._lookback = 0
        self._greedy = params.temperature < COLD
        self.chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        self._add_shifts(params, vocab, n_ctx)
        if self._greedy:
            self._add(lib.llama_sampler_init_greedy())
        else:
            self._add_filters(params)
            self._add(lib.llama_sampler_init_dist(seed))

    def _add(self, sampler: Any) -> None:
        lib.llama_sampler_chain_add(self.chain, sampler)

    def _add_shifts(self, params: SamplingParams, vocab: Any, n_ctx: int) -> None:
        """What is added to single logits: by the request, and for what has been written."""
        n_vocab = int(lib.llama_vocab_n_tokens(vocab))
        if params.logit_bias:
            pairs = [lib.llama_logit_bias(id, _bound(bias)) for id, bias in params.logit_bias]
            biases = (lib.llama_logit_bias * len(pairs))(*pairs)
            self._add(lib.llama_sampler_init_logit_bias(n_vocab, len(biases), biases))
        penalties = (params.repeat_penalty, params.frequency_penalty, params.presence_penalty)
        if penalties != NO_PENALTIES:
            last_n = self._look_back(params.penalty_last_n, n_ctx)
            bounded = (max(1 / LARGEST, _bound(penalties[0])), *map(_bound, penalties[1:]))
            self._add(lib.llama_sampler_init_penalties(n_vocab, last_n, *bounded))
        if params.dry_multiplier > 0:
            self._add(self._dry(params, vocab, self._look_back(params.dry_penalty_last_n, n_ctx)))

    def _look_back(self, last_n: int, n_ctx: int) -> int:
        # llama.cpp allocates what is looked back on (no more than there can be), and reads -1 as 0
        bounded = n_ctx if last_n < 0 else min(last_n, n_ctx)
        self._lookback = max(self._lookback, bounded)
        return bounded

    @staticmethod
    def _dry(params: SamplingParams, vocab: Any, last_n: int) -> Any:
        texts = [text.encode() for text in params.dry_breakers]
        return lib.llama_sampler_init_dry(
            vocab,
            _bound(params.dry_multiplier),
            _bound(params.dry_base),
            params.dry_allowed_length,
            last_n,
            (ctypes.c_char_p * len(texts))(*texts),
            len(texts),
        )

    def _add_filters(self, params: SamplingParams) -> None:
        if params.top_k > 0:
            self._add(lib.llama_sampler_init_top_k(params.top_k))
        if params.typical_p < 1:
            self._add(lib.llama_sampler_init_typical(params.typical_p, KEEP))
        if params.top_p < 1:
            self._add(lib.llama_sampler_init_top_p(params.top_p, KEEP))
        if params.min_p > 0:
            self._add(lib.llama_sampler_init_min_p(params.min_p, KEEP))
        self._add(lib.llama_sampler_init_temp(params.temperature))

    @property
    def lookback(self) -> int:
        """How many of the last tokens the penalties read; 0 where none is in use."""
        return self._lookback

    def sample(self, index: int) -> int:
        """Draw from the logits at a batch index, and remember the token for the penalties."""
        return int(lib.llama_sampler_sample(self.chain, self._context, index))

    def sample_told(
        self, logits: NDArray[np.float32]
    ) -> tuple[int, NDArray[np.int32], NDArray[np.float32]]:
        """As `sample`, from logits of shape (n_vocab,), and what it was drawn from: the ids that
        were left, the likeliest first, and their probabilities. A greedy draw leaves one."""
        candidates = np.empty(logits.size, CANDIDATE)
        candidates["id"], candidates["logit"] = np.arange(logits.size), logits
        candidates["p"] = 0.0
        data = candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
        array = lib.llama_token_data_array(data, logits.size, -1, False)
        lib.llama_sampler_apply(self.chain, ctypes.byref(array))
        left = candidates[: array.size]
        token = int(left["id"][array.selected])
        lib.llama_sampler_accept(self.chain, token)
        if self._greedy:
            return token, np.array([token], np.int32), np.ones(1, np.float32)
        order = np.argsort(-left["logit"], kind="stable")
        weights = np.exp(left["logit"][order] - left["logit"][order[0]])
        return token, left["id"][order], weights / weights.sum()

    def accept(self, token: int) -> None:
        """Remember a token that was fed, not drawn."""
        if self._lookback:
            lib.llama_sampler_accept(self.chain, token)

    def remember(self, ids: Iterable[int]) -> None:
        """Remember what came before, the prompt, as far as the penalties look back."""
        if self._lookback:
            for token in list(ids)[-self._lookback :]:
                lib.llama_sampler_accept(self.chain, token)

    def close(self) -> None:
        lib.llama_sampler_free(self.chain)


def _bound(shift: float) -> float:
    """Kept within LARGEST; only a ban stays without bound."""
    return shift if shift == -math.inf else min(max(shift, -LARGEST), LARGEST)
