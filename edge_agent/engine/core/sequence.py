"""One generation from submit to its last token."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge_agent.engine.core.constraint import Constraint
from edge_agent.engine.core.draft import Drafter
from edge_agent.engine.core.sampler import Sampler
from edge_agent.engine.core.thought import ThoughtMeter
from edge_agent.engine.kv.cells import NO_IDS, Ids
from edge_agent.engine.params import Computed, GenerateParams, TokenLogprobs, Tokens, Usage

NO_SLOT = -1
PATIENCE_S = 60.0  # how long background work lets interactive requests pass


@dataclass(slots=True, eq=False)
class Sequence:
    """What the engine knows of a generation, or of one continuation of several.

    tokens is prompt + generated; the first `computed` of them lie in the KV cache at `slot`, the
    rest is pending. One pending token is a decode, more are a prefill (or forced tokens): the
    engine treats them alike, and samples when nothing is pending. The last pending token is held
    back while the grammar of its successor is being compiled. A prompt with several continuations
    is computed by the first of them; the others are forked from it when it has logits.
    """

    id: int
    tokens: list[int]
    params: GenerateParams
    sampler: Sampler
    index: int = 0
    thought: ThoughtMeter | None = None
    drafter: Drafter | None = None
    constraint: Constraint | None = None
    spare: list[Constraint] = field(default_factory=list)  # of the continuations not yet forked
    awaits_grammar: bool = False
    is_forked: bool = False
    is_pinned: bool = False
    slot: int = NO_SLOT
    computed: int = 0
    n_prompt: int = 0
    prompt: Ids = field(default_factory=NO_IDS.copy)
    n_cached: int = 0
    n_told: int = -1  # of the prompt, to those who want to know how far it is
    n_forced: int = 0
    n_drafted: int = 0
    n_accepted: int = 0
    submitted_at: float = field(default_factory=time.monotonic)
    started_at: float = 0.0
    first_token_at: float = 0.0
    unsent: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    ended: Literal["", "stop", "length"] = ""

    def __post_init__(self) -> None:
        self.n_prompt = len(self.tokens)
        self.prompt = np.asarray(self.tokens, np.int32)

    @property
    def n_pending(self) -> int:
        return len(self.tokens) - self.computed

    @property
    def n_computable(self) -> int:
        """Pending tokens that the next step may compute."""
        return self.n_pending - self.awaits_grammar

    @property
    def is_fresh(self) -> bool:
        """Whether it begins with nothing; sent back to wait, it goes on from what it has."""
        return self.params.fresh and not self.started_at

    @property
    def due(self) -> float:
        """Its place in line, a time on the clock of `now`: the earliest goes first.

        A background sequence stands where an interactive one would that came PATIENCE_S later, so
        it is passed by all that come sooner than that, and by none that come later.
        """
        return self.submitted_at + self.params.priority * PATIENCE_S

    @property
    def n_generated(self) -> int:
        return len(self.tokens) - self.n_prompt

    @property
    def is_decoding(self) -> bool:
        """Whether its next step continues a generation a client may be reading."""
        return self.n_generated > 0

    @property
    def is_read(self) -> bool:
        """Whether somebody waits for each of its tokens."""
        return self.is_decoding and self.params.priority == 0

    @property
    def tokens_left(self) -> int:
        """How many more tokens its own limit allows."""
        limit = self.params.max_tokens
        return (1 << 31) if limit is None else limit - self.n_generated

    @property
    def is_late(self) -> bool:
        """Whether it is time to close what its grammar has open."""
        return self.tokens_left <= self.params.closing

    @staticmethod
    def now() -> float:
        """Seconds on the clock that all times of a sequence are on."""
        return time.monotonic()

    def write(self, ids: list[int]) -> None:
        """Grow by tokens that are to be computed and sent."""
        self.tokens.extend(ids)
        self.unsent.extend(ids)
        if self.thought is not None:
            self.thought.feed(ids)
        if self.drafter is not None:
            self.drafter.wrote(ids)

    def take_unsent(self) -> Tokens:
        """What was written since the last time."""
        logprobs = tuple(self.logprobs[: len(self.unsent)])
        taken = Tokens(tuple(self.unsent), self.index, logprobs, self.n_cached)
        self.unsent.clear()
        self.logprobs.clear()
        return taken

    def take_progress(self) -> Computed | None:
        """How far the prompt has come, where that was asked for and is more than was told."""
        done = min(self.computed, self.n_prompt)
        if not self.params.progress or self.is_decoding or self.is_forked or done <= self.n_told:
            return None
        first, self.n_told = self.n_told < 0, done
        return Computed(done, self.n_cached, 0.0 if first else self.now() - self.started_at)

    @property
    def n_draftable(self) -> int:
        """Tokens that may be guessed behind the pending ones: the last is always drawn."""
        return max(self.tokens_left - 1, 0) if self.is_decoding and not self.ended else 0

    def usage(self) -> Usage:
        now = self.now()
        first = self.first_token_at or now
        return Usage(
            prompt_tokens=self.n_prompt,
            cached_tokens=self.n_cached,
            completion_tokens=self.n_generated,
            forced_tokens=self.n_forced,
            drafted_tokens=self.n_drafted,
            accepted_tokens=self.n_accepted,
            prompt_s=first - (self.started_at or now),
            predict_s=now - first,
        )
