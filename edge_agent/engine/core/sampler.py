"""How the next token of one sequence is drawn. The home of llama.cpp's samplers."""

from __future__ import annotations

import ctypes
import math
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from edge_agent.engine.core.filters import Left, drawn, filters_of, weights_of
from edge_agent.engine.params import SamplingParams

COLD = 1e-5  # a temperature below is greedy: logits divided by less may leave 32 bits
LARGEST = 1e6  # shift of a logit: as good as any larger one, and sums of it stay within 32 bits
NO_PENALTIES = (1.0, 0.0, 0.0)
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Draws for one sequence.

    The order is that of llama.cpp's own programs (`samplers` of struct common_params_sampling in
    common/common.h, and common_sampler_init in common/sampling.cpp, which puts the biases first and
    the draw last): biases, penalties, DRY, top_k, typical_p, top_p, min_p, temperature, draw. So
    the filters see probabilities at temperature 1. At temperature 0 the filters are left out.
    """

    def __init__(self, vocab: Any, n_ctx: int, params: SamplingParams, seed: int) -> None:
        self._temperature = params.temperature
        self._biased = np.array([id for id, _ in params.logit_bias], np.int64)
        self._biases = np.array([_bound(bias) for _, bias in params.logit_bias], np.float32)
        self._penalties = Penalties(vocab, n_ctx, params)
        self._filters = filters_of(params)
        self._random = random.Random(seed)
        self._ids: NDArray[np.int64] | None = None

    @property
    def lookback(self) -> int:
        """How many of the last tokens the penalties read; 0 where none is in use."""
        return self._penalties.lookback

    def sample(self, logits: NDArray[np.float32]) -> int:
        """Draw from logits of shape (n_vocab,), and remember the token for the penalties."""
        if self._temperature < COLD:
            token = int(self.shifted(logits).argmax())
        else:
            left = self.left(logits)
            token = self._drawn(left, weights_of(left.logits, self._temperature))
        self.accept(token)
        return token

    def sample_told(
        self, logits: NDArray[np.float32]
    ) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
        """As `sample`, and what it was drawn from: the ids that were left, the likeliest first,
        and their probabilities. A greedy draw leaves one."""
        if self._temperature < COLD:
            token = self.sample(logits)
            return token, np.array([token]), np.ones(1, np.float32)
        left = self.left(logits)
        weights = weights_of(left.logits, self._temperature)
        token = self._drawn(left, weights)
        self.accept(token)
        order = np.argsort(-weights, kind="stable")
        return token, left.ids[order], weights[order] / weights.sum()

    def left(self, logits: NDArray[np.float32]) -> Left:
        """What may be drawn, with logits before the temperature."""
        if self._ids is None:
            self._ids = np.arange(len(logits))
        left = Left(self._ids, self.shifted(logits))
        if not np.isfinite(left.logits.max()):
            # everything is banned, and a draw has to end: the first token, for certain
            return Left(self._ids[:1], np.zeros(1, np.float32))
        for keep in self._filters:
            left = keep(left)
        return left

    def shifted(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits with what the request adds to single ones, and for what has been written."""
        if len(self._biased):
            logits = logits.copy()
            np.add.at(logits, self._biased, self._biases)
        return self._penalties.applied(logits) if self.lookback else logits

    def _drawn(self, left: Left, weights: NDArray[np.float32]) -> int:
        return int(left.ids[drawn(weights, self._random.random())])

    def accept(self, token: int) -> None:
        """Remember a token that was fed, not drawn."""
        self._penalties.remember((token,))

    def remember(self, ids: Iterable[int]) -> None:
        """Remember what came before, the prompt, as far as the penalties look back."""
        self._penalties.remember(ids)

    def close(self) -> None:
        self._penalties.close()


class Penalties:
    """llama.cpp's penalties for what has been written: repeat, frequency, presence, and DRY."""

    def __init__(self, vocab: Any, n_ctx: int, params: SamplingParams) -> None:
        self.lookback = 0
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        penalties = (params.repeat_penalty, params.frequency_penalty, params.presence_penalty)
        if penalties != NO_PENALTIES:
            n_vocab = int(lib.llama_vocab_n_tokens(vocab))
            last_n = self._look_back(params.penalty_last_n, n_ctx)
            bounded = (max(1 / LARGEST, _bound(penalties[0])), *map(_bound, penalties[1:]))
            self._add(lib.llama_sampler_init_penalties(n_vocab, last_n, *bounded))
        if params.dry_multiplier > 0:
            self._add(_dry(params, vocab, self._look_back(params.dry_penalty_last_n, n_ctx)))

    def _add(self, sampler: Any) -> None:
        lib.llama_sampler_chain_add(self._chain, sampler)

    def _look_back(self, last_n: int, n_ctx: int) -> int:
        # llama.cpp allocates what is looked back on (no more than there can be), and reads -1 as 0
        bounded = n_ctx if last_n < 0 else min(last_n, n_ctx)
        self.lookback = max(self.lookback, bounded)
        return bounded

    def applied(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of shape (n_vocab,) with what is to be taken from them."""
        candidates = np.empty(logits.size, CANDIDATE)
        candidates["id"], candidates["logit"] = np.arange(logits.size), logits
        data = candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
        array = lib.llama_token_data_array(data, logits.size, -1, False)
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        return np.ascontiguousarray(candidates["logit"])

    def remember(self, ids: Iterable[int]) -> None:
        """These were written; what lies further back than is looked is left out."""
        if self.lookback:
            for token in list(ids)[-self.lookback :]:
                lib.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        lib.llama_sampler_free(self._chain)


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


def _bound(shift: float) -> float:
    """Kept within LARGEST; only a ban stays without bound."""
    return shift if shift == -math.inf else min(max(shift, -LARGEST), LARGEST)
