"""What a request asks of the engine: ids and numbers, never text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen. Defaults sample the raw distribution.

    temperature: 0 is greedy. top_k: 0 is off. top_p, typical_p: 1.0 is off. min_p: 0.0 is off.
    presence_penalty, frequency_penalty: subtracted from logits, 0.0 is off.
    repeat_penalty: divides logits, 1.0 is off. penalty_last_n: tokens the penalties look back on.
    dry_*: the DRY penalty against repeated runs of tokens, off at multiplier 0: a run of at least
    dry_allowed_length costs multiplier * base ** (length - allowed); it looks back on
    dry_penalty_last_n tokens (-1: the whole window) and a run ends at a breaker's text.
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
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()

    def with_(self, **changes: object) -> SamplingParams:
        """A copy with the given fields changed; a change of None keeps the field."""
        known = {k: v for k, v in changes.items() if v is not None}
        return replace(self, **known)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ThoughtLimit:
    """How long a generation may think, and how a thought is told from the rest.

    budget: generated tokens between the markers, those of all thoughts of the generation together;
    None is no limit of its own (it can still be told to stop, see `TokenEngine.stop_thinking`).
    start, end: the ids that open and close a thought. closing: the ids fed when the budget is used
    up, which end in `end`. begun: the prompt ends inside a thought.
    """

    budget: int | None
    start: tuple[int, ...]
    end: tuple[int, ...]
    closing: tuple[int, ...]
    begun: bool = False


@dataclass(frozen=True, slots=True)
class GenerateParams:
    """One generation, or `n` continuations of one prompt.

    max_tokens: upper bound of generated tokens, of each continuation; None runs to the end of the
    window. grammar: llguidance grammar (Lark, or its JSON form) that every generated token must
    obey. stop_ids: token ids that end generation besides the model's own end-of-generation ids.
    priority: 0 is interactive, 1 is background (an agent run, the refiner).
    n: continuations that share the prompt's cells; continuation i draws with seed + i.
    n_logprobs: how many of the likeliest tokens to report at each position, 0 for the generated one
    alone, None for nothing.
    speculate: False never drafts tokens; None leaves it to the engine, which drafts where it wins.
    fresh: compute the whole prompt, whatever is cached of it, and draft nothing. Where nothing else
    runs all cells are emptied first, so that the same request has the same bits, whatever came
    before it (on the CPU; on an accelerator prompts are chunked by the time they take).
    pin: this many first tokens of the prompt stay in the cache, and are kept on disk.
    accept_pruned: share cells that were moved by `Prune` too, whose keys and values were computed
    while the removed tokens could be seen.
    name: by which `TokenEngine.stop_thinking` finds the running generation.
    progress: report how far the prompt has come, from its admission to its first token.
    closing: within so many tokens of `max_tokens` what the grammar has open is closed, so that its
    text becomes whole; 0 lets the limit cut it.
    free_end: where the text satisfies the grammar and no free text may follow, a draw that the
    grammar does not allow ends it. Without, only what is allowed is drawn from, so that a model
    that would go on in words goes on with what is left to it: behind a call with one more.
    drawn: report, in place of logprobs, the probabilities that the token was drawn by, after every
    sampling setting and the grammar; `n_logprobs` says how many.
    """

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None
    grammar: str | None = None
    stop_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    priority: int = 0
    n: int = 1
    n_logprobs: int | None = None
    thought: ThoughtLimit | None = None
    speculate: bool | None = None
    fresh: bool = False
    pin: int = 0
    accept_pruned: bool = False
    name: str = ""
    progress: bool = False
    drawn: bool = False
    closing: int = 0
    free_end: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts and times of one generation. Times in seconds.

    prompt_tokens counts the whole prompt; cached_tokens of them were already in the KV cache, so
    prompt_tokens - cached_tokens were computed. forced_tokens of completion_tokens followed from
    the grammar (or closed a thought) and were fed, not sampled. drafted_tokens were guessed ahead,
    accepted_tokens of them were what the model wrote.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    prompt_s: float = 0.0
    predict_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.forced_tokens + other.forced_tokens,
            self.drafted_tokens + other.drafted_tokens,
            self.accepted_tokens + other.accepted_tokens,
            self.prompt_s + other.prompt_s,
            self.predict_s + other.predict_s,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Natural logarithms of probabilities at one position, before any sampling setting or grammar.

    top: (token id, logprob) of the likeliest tokens, the likeliest first. A token that was fed and
    not drawn, because a grammar forced it or it closed a thought, has 0.0 and no others.
    """

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """Generated ids, in order, as the engine produced them.

    index: of the continuation (0 where n is 1). logprobs: one for each id where they were asked
    for, else empty. cached_tokens: of the prompt, as in `Usage`; the same in every item, for whom
    closes the stream before Finished.
    """

    ids: tuple[int, ...]
    index: int = 0
    logprobs: tuple[TokenLogprobs, ...] = ()
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Computed:
    """How much of the prompt is computed, for those who asked; the first says what was cached.

    n_tokens: of the prompt, the cached ones included. seconds: since its first step began.
    """

    n_tokens: int
    cached_tokens: int
    seconds: float
    index: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last item of a continuation; a stream ends when each of its `n` has had one."""

    reason: FinishReason
    usage: Usage
    index: int = 0


@dataclass(frozen=True, slots=True)
class Rollback:
    """Keep the first `length` tokens of the cached sequence that begins with `ids`."""

    ids: tuple[int, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Prune:
    """Remove ids[start:stop] from the cached sequence that begins with `ids`.

    What follows of `ids` moves down without being computed again, where the model allows; it was
    computed while the removed span could be seen, so only requests that accept_pruned share it.
    """

    ids: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Park:
    """Move what is cached of `ids` out of the cells into memory, under a name.

    Where memory has no room for it, it stays in the cells like any other prefix.
    """

    name: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Bring what was parked under the name back into the cells; the name is free again.

    Where no slot or room is to be had now, nothing is held and the name stays.
    """

    name: str


Edit: TypeAlias = Rollback | Prune | Park | Resume


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit left: how many tokens of the edited sequence are cached, how many of those
    exactly as a prefill would have them. 0 and 0: nothing was, the next request computes it."""

    held: int
    exact: int


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in a GGUF file, and how strongly it is applied (1.0 as trained)."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What the engine process loads and how.

    n_ctx: KV cells shared by all sequences. n_batch: most tokens decoded in one call.
    n_parallel: sequences that may generate at once. n_gpu_layers: -1 puts all on the accelerator.
    n_threads: decode threads. kv_type: storage of keys and values. use_extra_bufts: allow llama.cpp
    to repack weights for the CPU (and to use AMX where it was built in). adapters: applied to
    every sequence. shared_chunk: prompt tokens a step may add while somebody reads a stream, 0
    adapts. speculate: whether tokens may be drafted at all. cache_bytes: memory for states moved
    out of the cells. cache_dir: where pinned prefixes outlive the process, up to cache_disk_bytes;
    "" keeps none.
    """

    path: str
    n_ctx: int
    n_batch: int
    n_parallel: int
    n_threads: int
    n_gpu_layers: int = 0
    kv_type: Literal["f16", "q8_0"] = "f16"
    use_extra_bufts: bool = True
    adapters: tuple[Adapter, ...] = ()
    shared_chunk: int = 0
    speculate: bool = True
    cache_bytes: int = 512 << 20
    cache_dir: str = ""
    cache_disk_bytes: int = 4 << 30


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
    ) -> AsyncGenerator[Tokens | Computed | Finished, None]:
        """Generated ids as they come, ending in Finished; closing the iterator cancels.

        Raises EngineBusy, EngineCrashed, or RequestError (ContextOverflow, GrammarError). The
        end-of-generation id is not part of the stream: reason "stop" says it came.
        """
        ...

    async def edit(self, edit: Edit) -> Edited:
        """Change what is cached. Raises EngineCrashed, NotFound (a name), or RequestError."""
        ...

    async def stop_thinking(self, name: str) -> bool:
        """Close the thought that the generation of this name is in, as if its budget were used up.

        False when no such generation is running, or it does not think.
        """
        ...
