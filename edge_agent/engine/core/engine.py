"""The heart of the engine: one step decodes a batch and hands out what was written."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from edge_agent.engine.core.brake import Brake
from edge_agent.engine.core.check import check_request
from edge_agent.engine.core.closing import Closing
from edge_agent.engine.core.draft import MAX_DRAFT, Drafter
from edge_agent.engine.core.grammars import Grammars
from edge_agent.engine.core.hands import Hands, usable_cores
from edge_agent.engine.core.llama import Llama, Span
from edge_agent.engine.core.pace import Pace
from edge_agent.engine.core.pages import give_back
from edge_agent.engine.core.sampler import Sampler
from edge_agent.engine.core.scheduler import Scheduler, Share
from edge_agent.engine.core.sequence import Sequence
from edge_agent.engine.core.speculation import with_drafts
from edge_agent.engine.core.tally import Tally, running_of
from edge_agent.engine.core.thought import ThoughtMeter
from edge_agent.engine.core.writer import Writer
from edge_agent.engine.counts import Counts, Running
from edge_agent.engine.kv.cache import PrefixCache, slots_for
from edge_agent.engine.kv.edits import Editor
from edge_agent.engine.kv.fingerprint import model_key
from edge_agent.engine.kv.shelf import Shelf
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import (
    Computed,
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
)
from edge_agent.errors import EdgeAgentError

Item: TypeAlias = Tokens | Computed | Finished | EdgeAgentError
WARM_UP_TOKENS = (40, 16, 1)  # the matrix kernels of a prefill, and those of a decode
RANDOM_SEED = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: not a seed, but the wish for any
GRAMMAR_WAIT_S = 0.005  # how long a step with nothing to compute waits for a grammar
# Of a prompt on an accelerator, where llama.cpp cannot break a step off when it is cancelled.
LONGEST_STEP_S = 0.2
BRAKE_TOKENS = 8  # a step that computes fewer of a cancelled prompt is not worth breaking off


class Engine:
    """Sequences in, token ids out. Every method is called from the thread that made it.

    `push(id, item)` receives what a request produced: its last item is an error, or the Finished of
    the last of its continuations. pace: what is known of the device; None begins with a guess.
    """

    def __init__(
        self,
        spec: LoadSpec,
        push: Callable[[int, Item], None],
        log: Callable[[str], None],
        pace: Pace | None = None,
    ) -> None:
        n_slots = slots_for(spec.n_parallel)
        self._spec = spec
        self._llama = Llama(spec, n_slots, MAX_DRAFT, log)
        self.brake = Brake(self._llama.abort)
        self._push = push
        self._vault = Vault(spec.cache_bytes, _shelf(spec, self._llama.build, log))
        self._cache = PrefixCache(self._llama, self._llama.info.n_ctx, n_slots, self._vault)
        self._editor = Editor(self._cache, self._vault)
        self._pace = pace or Pace()
        self._scheduler = Scheduler(
            self._cache,
            spec.n_parallel,
            spec.n_batch,
            self._pace,
            spec.shared_chunk,
            LONGEST_STEP_S if spec.n_gpu_layers else None,
        )
        self._hands = Hands(spec.n_threads, len(usable_cores()))
        self._writer = Writer(self._llama)
        self._grammars = Grammars(self._llama.vocab, self._llama.eog_ids, self._closing)
        self._sequences: dict[int, list[Sequence]] = {}
        self._tally = Tally()

    def _closing(self) -> Closing:
        pieces = [self._llama.text((id,)) for id in range(self._llama.n_vocab)]
        return Closing(pieces, self._llama.eog_ids, self._llama.marks)

    @property
    def info(self) -> ModelInfo:
        return self._llama.info

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def warm_up(self) -> None:
        """Compute a few tokens: a processor that this build cannot serve shows it here."""
        for n in WARM_UP_TOKENS:
            n = min(n, self._spec.n_batch)
            began = Sequence.now()
            self._llama.decode([Span(0, 0, [0] * n, output=1)])
            self._llama.truncate(0, 0)
            self._pace.saw(n, Sequence.now() - began)
        if self._spec.use_extra_bufts and not self._spec.n_gpu_layers:
            give_back(self._spec.path)

    # requests

    def submit(self, id: int, prompt: list[int], params: GenerateParams) -> None:
        """Queue a generation; raises ContextOverflow, EngineBusy or RequestError."""
        check_request(prompt, params, self.info, self._spec.n_parallel)
        sequence = self._sequence(id, prompt, params, 0)
        try:
            self._scheduler.add(sequence)
        except EdgeAgentError:
            sequence.sampler.close()
            raise
        self._sequences[id] = [sequence]
        if params.grammar is not None:
            sequence.awaits_grammar = True
            self._grammars.order(id, params)

    def _sequence(self, id: int, prompt: list[int], params: GenerateParams, index: int) -> Sequence:
        sampler = self._sampler(params, index)
        sampler.remember(prompt)  # penalties look back on the prompt too, as llama.cpp's do
        wanted = params.speculate is not False and not params.fresh
        drafts = self._spec.speculate and wanted and self._cache.can_share
        return Sequence(
            id,
            list(prompt),
            params,
            sampler,
            index,
            ThoughtMeter(params.thought) if params.thought else None,
            Drafter(prompt) if drafts else None,
        )

    def _sampler(self, params: GenerateParams, index: int) -> Sampler:
        sampling = params.sampling
        if params.ignore_eos:
            never = tuple((id, -float("inf")) for id in self._llama.eog_ids)
            sampling = replace(sampling, logit_bias=(*sampling.logit_bias, *never))
        seed = random.randrange(RANDOM_SEED) if sampling.seed is None else sampling.seed + index
        return self._llama.sampler(sampling, seed % RANDOM_SEED)

    def cancel(self, id: int) -> None:
        """End a request now; what it computed stays parked. Unknown ids are already over."""
        self.brake.forget(id)
        for sequence in self._sequences.get(id, ())[:]:
            self._end(sequence, Finished("cancelled", sequence.usage(), sequence.index))

    def stop_thinking(self, id: int) -> bool:
        """Close the thought a request is in; False when it is not in one."""
        thoughts = [sequence.thought for sequence in self._sequences.get(id, ())]
        stopped = [thought.stop() for thought in thoughts if thought is not None]
        return any(stopped)

    def edit(self, edit: Edit) -> Edited:
        """Change what is cached; raises NotFound or RequestError."""
        return self._editor.edit(edit)

    # a step

    def step(self) -> None:
        """Plan, decode, write, push."""
        self._take_grammars()
        shares = with_drafts(self._scheduler.plan(), self._draft_room, self._pace)
        outputs = self._decode(shares) if shares else self._wait_for_grammar()
        for share, first in outputs:
            self._write(share, first)
        self._push_all()

    def _take_grammars(self) -> None:
        """Hand out the grammars that have been compiled; one that failed ends its request."""
        for id, compiled in self._grammars.take():
            if isinstance(compiled, EdgeAgentError):
                self._fail(id, compiled)
            else:
                sequence = self._sequences[id][0]
                sequence.constraint, *sequence.spare = compiled
                sequence.awaits_grammar = False

    def _wait_for_grammar(self) -> list[tuple[Share, int]]:
        self._grammars.wait(GRAMMAR_WAIT_S)
        return []

    @property
    def _draft_room(self) -> int:
        """Tokens beside the planned ones that need no prefix to be evicted."""
        return min(self._cache.n_free, self._scheduler.n_limit)

    def _decode(self, shares: list[Share]) -> list[tuple[Share, int]]:
        """Compute the shares; returns those with nothing pending, and where their logits begin."""
        prompts = (share for share in shares if share.n_tokens >= BRAKE_TOKENS)
        if not self.brake.release(frozenset(share.sequence.id for share in prompts)):
            return []
        began = Sequence.now()
        if self._hands.look(began):
            self._llama.use_threads(self._hands.n_threads)
        for share in shares:
            share.sequence.started_at = share.sequence.started_at or began
            self._tell_progress(share.sequence)
        result, firsts = self._llama.decode([self._span(share) for share in shares])
        self.brake.hold()
        ended = Sequence.now()
        self._hands.rest(ended)
        if result != "ok":
            self._undo(shares, result == "no_room")
            return []
        self._pace.saw(sum(share.n_computed for share in shares), ended - began)
        self._tally.decoded(shares, ended - began)
        self._scheduler.had_room()
        for share in shares:
            self._record(share)
        pairs = zip(shares, firsts, strict=True)
        return [(share, first) for share, first in pairs if share.sequence.n_pending == 0]

    @staticmethod
    def _span(share: Share) -> Span:
        sequence, start = share.sequence, share.sequence.computed
        ids = [*sequence.tokens[start : start + share.n_tokens], *share.draft]
        ready = share.n_tokens == sequence.n_pending
        return Span(sequence.slot, start, ids, output=len(share.draft) + 1 if ready else 0)

    def _record(self, share: Share) -> None:
        sequence = share.sequence
        end = sequence.computed + share.n_tokens
        self._cache.extend(sequence.slot, [*sequence.tokens[sequence.computed : end], *share.draft])
        sequence.computed = end
        self._tell_progress(sequence)
        if not sequence.is_pinned and 0 < sequence.params.pin <= end:
            sequence.is_pinned = True
            self._cache.pin(sequence.slot, sequence.params.pin)

    def _tell_progress(self, sequence: Sequence) -> None:
        if (computed := sequence.take_progress()) is not None:
            self._push(sequence.id, computed)

    def _undo(self, shares: list[Share], no_room: bool) -> None:
        # part of the batch may lie in the cells: cut every sequence back to its record
        for share in shares:
            sequence = share.sequence
            sequence.computed = self._cache.truncate(sequence.slot, sequence.computed)
        if no_room:
            self._scheduler.no_room()

    def _write(self, share: Share, first: int) -> None:
        for sequence in (share.sequence, *self._forked(share.sequence)):
            if self._is_live(sequence):
                self._write_one(sequence, first, share.draft)

    def _write_one(self, sequence: Sequence, first: int, draft: tuple[int, ...]) -> None:
        failure: EdgeAgentError | None = None
        try:
            self._writer.write(sequence, first, draft)
        except EdgeAgentError as error:  # a grammar that fails half-way fails its own request
            failure = error
        if draft:
            sequence.computed = self._cache.truncate(sequence.slot, sequence.computed)
        if failure is not None:
            self._fail(sequence.id, failure)

    def _forked(self, first: Sequence) -> list[Sequence]:
        """The other continuations of a prompt, once it is computed: those that can run at once."""
        if first.params.n == 1 or first.is_forked:
            return []
        first.is_forked = True
        prompt = first.tokens[: first.n_prompt]
        others = [
            self._sequence(first.id, prompt, first.params, i) for i in range(1, first.params.n)
        ]
        for other in others:
            other.is_forked = True
            other.constraint = first.spare.pop() if first.spare else None
            other.submitted_at = first.submitted_at
            other.thought = deepcopy(first.thought)  # it may have been told to stop
        self._sequences[first.id] += others
        return [other for other in others if self._scheduler.fork(first, other)]

    def _is_live(self, sequence: Sequence) -> bool:
        return sequence in self._sequences.get(sequence.id, ())

    def _push_all(self) -> None:
        for sequence in self._live():
            if sequence.unsent:
                self._push(sequence.id, sequence.take_unsent())
            if sequence.ended:
                self._end(sequence, Finished(sequence.ended, sequence.usage(), sequence.index))

    # a request ends

    def _fail(self, id: int, error: EdgeAgentError) -> None:
        for sequence in self._sequences[id][:]:
            self._drop(sequence)
        self._push(id, error)

    def _end(self, sequence: Sequence, last: Finished) -> None:
        self._drop(sequence)
        self._push(sequence.id, last)
        if not sequence.is_forked:  # ended before there were logits to fork from
            for index in range(1, sequence.params.n):
                self._push(sequence.id, replace(last, index=index))

    def _drop(self, sequence: Sequence) -> None:
        self._tally.ended(sequence)
        request = self._sequences[sequence.id]
        request.remove(sequence)
        if not request:
            del self._sequences[sequence.id]
            self._grammars.cancel(sequence.id)
        self._scheduler.remove(sequence)
        sequence.sampler.close()

    # the whole

    def stats(self) -> dict[str, int]:
        """Sequences running and waiting; slots in use, parked, pinned and in disagreement with
        llama.cpp (always 0); cells; and bytes kept outside of them."""
        lengths = self._cache.lengths
        wrong = sum(self._llama.length(i) != length for i, length in enumerate(lengths))
        return {
            "running": len(self._scheduler.running),
            "waiting": len(self._scheduler.waiting),
            "slots_busy": self._cache.n_busy,
            "slots_parked": self._cache.n_parked,
            "slots_pinned": len(self._cache.pinned),
            "slots_wrong": wrong,
            "cells_free": self._cache.n_free,
            "cells_held": self._cache.n_held,
            "cells": self.info.n_ctx,
            "bytes_kept": self._vault.bytes_held,
            "threads": self._hands.n_threads,
        }

    def counts(self) -> Counts:
        """What was computed since the model was loaded, and how full it is now."""
        gauges = self.stats()
        del gauges["threads"], gauges["slots_wrong"]
        return replace(self._tally.counts(self._live()), gauges=gauges)

    def running(self) -> tuple[Running, ...]:
        """The sequences that run and those that wait."""
        return tuple(running_of(sequence) for sequence in self._live())

    def _live(self) -> list[Sequence]:
        return [sequence for request in self._sequences.values() for sequence in request]

    def close(self) -> None:
        """Free the model; the grammar thread ends first, because it reads the vocabulary."""
        self._grammars.close()
        self._vault.close()
        self._llama.close()


def _shelf(spec: LoadSpec, build: str, log: Callable[[str], None]) -> Shelf | None:
    if not spec.cache_dir:
        return None
    return Shelf(Path(spec.cache_dir), spec.cache_disk_bytes, model_key(spec, build), log)
