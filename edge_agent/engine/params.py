"""What a request asks of the engine: ids and numbers, never text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen. Defaults sample the raw distribution.

    temperature: 0 is greedy. top_k: 0 is off. top_p, typical_p: 1.0 is off. min_p: 0.0 is off.
    presence_penalty, frequency_penalty: subtracted from logits, 0.0 is off.
    repeat_penalty: divides logits, 1.0 is off. penalty_last_n: tokens the penalties look back on.
    seed: None draws a fresh one. logit_bias: (token id, added logit) pairs.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.0
    penalty_last_n: int = 64
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()

    def with_(self, **changes: object) -> SamplingParams:
        """A copy with the given fields changed; a change of None keeps the field."""
        known = {k: v for k, v in changes.items() if v is not None}
        return replace(self, **known)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class GenerateParams:
    """One generation.

    max_tokens: upper bound of generated tokens; None runs to the end of the window.
    grammar: llguidance grammar (Lark, or its JSON form) that every generated token must obey.
    stop_ids: token ids that end generation besides the model's own end-of-generation ids.
    priority: 0 is interactive, 1 is background (an agent run, the refiner).
    """

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None
    grammar: str | None = None
    stop_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts and times of one generation. Times in seconds.

    prompt_tokens counts the whole prompt; cached_tokens of them were already in the KV cache, so
    prompt_tokens - cached_tokens were computed. forced_tokens of completion_tokens followed from
    the grammar and were fed, not sampled.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    forced_tokens: int = 0
    prompt_s: float = 0.0
    predict_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.forced_tokens + other.forced_tokens,
            self.prompt_s + other.prompt_s,
            self.predict_s + other.predict_s,
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """Generated ids, in order, as the engine produced them."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The last item of every token stream."""

    reason: FinishReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What the engine process loads and how.

    n_ctx: KV cells shared by all sequences. n_batch: most tokens decoded in one call.
    n_parallel: sequences that may generate at once. n_gpu_layers: -1 puts all on the accelerator.
    n_threads: decode threads. kv_type: storage of keys and values. use_extra_bufts: allow llama.cpp
    to repack weights for the CPU (and to use AMX where it was built in).
    """

    path: str
    n_ctx: int
    n_batch: int
    n_parallel: int
    n_threads: int
    n_gpu_layers: int = 0
    kv_type: Literal["f16", "q8_0"] = "f16"
    use_extra_bufts: bool = True


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model is; sizes in tokens and bytes."""

    path: str
    description: str
    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_params: int
    size_bytes: int
    system_info: str


class TokenEngine(Protocol):
    """What chat needs of an engine: ids in, ids out."""

    @property
    def info(self) -> ModelInfo: ...

    def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Finished, None]:
        """Generated ids as they come, ending in Finished; closing the iterator cancels.

        Raises EngineBusy, EngineCrashed, or ContextOverflow. The end-of-generation id is not
        part of the stream: reason "stop" says it came.
        """
        ...
