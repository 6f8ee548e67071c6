"""The heart of the engine: one step decodes a batch and hands out what was sampled."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from edge_agent.engine.brake import Brake
from edge_agent.engine.cache import PrefixCache
from edge_agent.engine.check import check_request
from edge_agent.engine.constraint import Constraint, tokenizer_of
from edge_agent.engine.llama import Llama, Span
from edge_agent.engine.params import (
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
)
from edge_agent.engine.scheduler import Scheduler, Share
from edge_agent.engine.sequence import Sequence
from edge_agent.errors import EdgeAgentError, RequestError

Item: TypeAlias = Tokens | Finished | EdgeAgentError
WARM_UP_TOKENS = 40  # enough for the matrix kernels of a prefill, not only those of a decode
RANDOM_SEED = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: not a seed, but the wish for any
GRAMMAR_WAIT_S = 0.005  # how long a step with nothing to compute waits for a grammar
BRAKE_TOKENS = 8  # a step that computes fewer of a cancelled prompt is not worth breaking off


class Engine:
    """Sequences in, token ids out. Every method is called from the thread that made it.

    `push(id, item)` receives what a sequence produced; its last item is Finished or an error.
    """

    def __init__(
        self, spec: LoadSpec, push: Callable[[int, Item], None], log: Callable[[str], None]
    ) -> None:
        n_slots = spec.n_parallel * 2 + 2  # as many parked prefixes as sequences, and two more
        self._llama = Llama(spec, n_slots, log)
        self.brake = Brake(self._llama.abort)
        self._push = push
        self._cache = PrefixCache(self._llama, self._llama.info.n_ctx, n_slots)
        self._scheduler = Scheduler(self._cache, spec.n_parallel, spec.n_batch)
        self._n_batch = spec.n_batch
        self._sequences: dict[int, Sequence] = {}
        # llguidance's tokenizer takes a second to build and grammars some milliseconds: elsewhere
        self._compiler = ThreadPoolExecutor(1, "grammar")
        self._tokenizer: Future[Any] = self._compiler.submit(tokenizer_of, self._llama.vocab)
        self._constraints: dict[int, Future[Constraint]] = {}

    @property
    def info(self) -> ModelInfo:
        return self._llama.info

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def warm_up(self) -> None:
        """Compute a few tokens: a processor that this build cannot serve shows it here."""
        for n in (min(WARM_UP_TOKENS, self._n_batch), 1):
            self._llama.decode([Span(0, 0, [0] * n, output=True)])
            self._llama.truncate(0, 0)

    def submit(self, id: int, prompt: list[int], params: GenerateParams) -> None:
        """Queue a generation; raises ContextOverflow, EngineBusy or RequestError."""
        check_request(prompt, params, self.info)
        sequence = Sequence(id, prompt, params, self._sampler(params))
        try:
            self._scheduler.add(sequence)
        except EdgeAgentError:
            sequence.sampler.close()
            raise
        self._sequences[id] = sequence
        if params.grammar is not None:
            sequence.awaits_grammar = True
            self._constraints[id] = self._compiler.submit(self._compile, params.grammar)

    def _sampler(self, params: GenerateParams) -> Any:
        seed = params.sampling.seed
        return self._llama.sampler(
            params.sampling, random.randrange(RANDOM_SEED) if seed is None else seed % RANDOM_SEED
        )

    def _compile(self, grammar: str) -> Constraint:
        return Constraint(grammar, self._tokenizer.result())

    def cancel(self, id: int) -> None:
        """End a generation now; what it computed stays parked. Unknown ids are already over."""
        self.brake.forget(id)
        sequence = self._sequences.get(id)
        if sequence is not None:
            self._end(sequence, Finished("cancelled", sequence.usage()))

    def edit(self, edit: Edit) -> Edited:
        """Change what is cached; raises NotFound or RequestError."""
        raise RequestError(f"{type(edit).__name__} is not known to this engine.")

    def stop_thinking(self, id: int) -> bool:
        """Close the thought a generation is in; False when it is not in one."""
        return False

    def step(self) -> None:
        """Plan, decode, sample, commit, push."""
        self._take_grammars()
        shares = self._scheduler.plan()
        indices = self._decode(shares) if shares else self._wait_for_grammar()
        for sequence, index in indices.items():
            self._guarded(sequence, self._sample, index)
        self._push_all()

    def _take_grammars(self) -> None:
        """Hand out the grammars that have been compiled; one that failed ends its request."""
        for id in [id for id, compiled in self._constraints.items() if compiled.done()]:
            sequence, compiled = self._sequences[id], self._constraints.pop(id)
            try:
                sequence.constraint, sequence.awaits_grammar = compiled.result(), False
            except EdgeAgentError as error:
                self._end(sequence, error)

    def _wait_for_grammar(self) -> dict[Sequence, int]:
        wait(self._constraints.values(), GRAMMAR_WAIT_S, FIRST_COMPLETED)
        return {}

    def _decode(self, shares: list[Share]) -> dict[Sequence, int]:
        """Compute the shares; returns where to sample for each sequence with nothing pending."""
        prompts = (share for share in shares if share.n_tokens >= BRAKE_TOKENS)
        if not self.brake.release(frozenset(share.sequence.id for share in prompts)):
            return {}
        for share in shares:
            share.sequence.started_at = share.sequence.started_at or share.sequence.now()
        result, indices = self._llama.decode([self._span(share) for share in shares])
        self.brake.hold()
        if result != "ok":
            self._undo(shares, result == "no_room")
            return {}
        for share in shares:
            sequence = share.sequence
            end = sequence.computed + share.n_tokens
            self._cache.extend(sequence.slot, sequence.tokens[sequence.computed : end])
            sequence.computed = end
        pairs = zip(shares, indices, strict=True)
        return {share.sequence: i for share, i in pairs if share.sequence.n_pending == 0}

    @staticmethod
    def _span(share: Share) -> Span:
        sequence, start = share.sequence, share.sequence.computed
        ids = sequence.tokens[start : start + share.n_tokens]
        return Span(sequence.slot, start, ids, output=share.n_tokens == sequence.n_pending)

    def _undo(self, shares: list[Share], no_room: bool) -> None:
        # part of the batch may lie in the cells: cut every sequence back to its record
        for share in shares:
            sequence = share.sequence
            sequence.computed = self._cache.truncate(sequence.slot, sequence.computed)
        if no_room and not self._cache.evict_one():
            youngest = max(self._scheduler.running, key=lambda s: s.due)
            if len(self._scheduler.running) > 1:
                self._scheduler.preempt(youngest)
            else:
                youngest.ended = "length"

    def _sample(self, sequence: Sequence, index: int) -> None:
        constraint = sequence.constraint
        if constraint is not None:
            constraint.apply(self._llama.logits(index))
        token = sequence.sampler.sample(index)
        sequence.first_token_at = sequence.first_token_at or sequence.now()
        if self._ends(sequence, token):
            sequence.ended = "stop"
            return
        forced = constraint.accept(token) if constraint is not None else []
        self._commit(sequence, token, forced)
        if constraint is not None and constraint.finished:
            sequence.ended = "stop"

    def _ends(self, sequence: Sequence, token: int) -> bool:
        eog = self._llama.is_eog(token) and not sequence.params.ignore_eos
        return eog or token in sequence.params.stop_ids

    def _commit(self, sequence: Sequence, token: int, forced: list[int]) -> None:
        kept = [token, *forced][: sequence.tokens_left]
        for id in kept[1:]:
            sequence.sampler.accept(id)
        sequence.tokens.extend(kept)
        sequence.unsent.extend(kept)
        sequence.n_forced += max(0, len(kept) - 1)
        if sequence.tokens_left <= 0 or len(sequence.tokens) >= self.info.n_ctx:
            sequence.ended = "length"

    def _guarded(self, sequence: Sequence, act: Callable[[Sequence, int], None], i: int) -> None:
        # a grammar that fails half-way is that request's error, nobody else's
        try:
            act(sequence, i)
        except EdgeAgentError as error:
            self._end(sequence, error)

    def _push_all(self) -> None:
        for sequence in list(self._sequences.values()):
            if sequence.unsent:
                self._push(sequence.id, Tokens(tuple(sequence.unsent)))
                sequence.unsent.clear()
            if sequence.ended:
                self._end(sequence, Finished(sequence.ended, sequence.usage()))

    def _end(self, sequence: Sequence, last: Item) -> None:
        del self._sequences[sequence.id]
        if (compiled := self._constraints.pop(sequence.id, None)) is not None:
            compiled.cancel()
        self._scheduler.remove(sequence)
        sequence.sampler.close()
        self._push(sequence.id, last)

    def stats(self) -> dict[str, int]:
        """Sequences running and waiting, slots in use and parked, cells free."""
        return {
            "running": len(self._scheduler.running),
            "waiting": len(self._scheduler.waiting),
            "slots_busy": self._cache.n_busy,
            "slots_parked": self._cache.n_parked,
            "cells_free": self._cache.n_free,
            "cells": self.info.n_ctx,
        }

    def close(self) -> None:
        """Free the model; the grammar thread ends first, because it reads the vocabulary."""
        self._compiler.shutdown(wait=True, cancel_futures=True)
        self._llama.close()
