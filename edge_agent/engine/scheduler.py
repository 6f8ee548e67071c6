"""What runs in the next step: decodes first, then prompt tokens in chunks."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.engine.cache import PrefixCache
from edge_agent.engine.sequence import NO_SLOT, Sequence
from edge_agent.errors import EngineBusy

# Prompt tokens a step may add while somebody reads a stream: 64 cost 11 single steps and run at
# nine tenths of the full prefill speed (1.5B Q4_K_M on 2 cores).
SHARED_CHUNK = 64
# What a pending prompt token counts in the order of prefills, so that the shortest goes first and
# a long one is passed for so long only; about the prefill speed of a 1.5B on 2 cores.
TOKENS_PER_S = 100.0


@dataclass(frozen=True, slots=True)
class Share:
    """How many pending tokens of a sequence the next step computes."""

    sequence: Sequence
    n_tokens: int


class Scheduler:
    """Waiting and running sequences, and the rule that picks among them.

    Running sequences that decode come first, one another's equals; what is left of the batch goes
    to prefills, the one with the least left to do first. When cells run out: parked prefixes are
    evicted, then the sequence last in line is sent back to wait (its tokens are kept and computed
    again later). An interactive sequence that finds all places taken gets that of a background
    one. No sequence is failed because another is large, and none waits for ever: each has a place
    in one line (`Sequence.due`), and whoever is first in it is never sent back.
    """

    def __init__(
        self, cache: PrefixCache, n_parallel: int, n_batch: int, max_waiting: int = 256
    ) -> None:
        self._cache = cache
        self._n_parallel = min(n_parallel, n_batch)  # each that decodes has its token in a step
        self._n_batch = n_batch
        self._max_waiting = max_waiting
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; raises EngineBusy when the queue is full."""
        if len(self.waiting) >= self._max_waiting:
            raise EngineBusy(
                f"{len(self.waiting)} requests are waiting already: try again later.", 5.0
            )
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """The sequence has ended or was cancelled: park what it computed."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._cache.park(sequence.slot)
        else:
            self.waiting.remove(sequence)

    def plan(self) -> list[Share]:
        """Shares of the next batch, room for them made."""
        self._admit()
        shares = self._divide()
        while shares and not self._cache.make_room(sum(share.n_tokens for share in shares)):
            if len(self.running) == 1:
                return self._last_one(shares[0])
            self.preempt(max(self.running, key=lambda s: s.due))
            shares = self._divide()
        return shares

    def _admit(self) -> None:
        """Move waiting sequences into slots, the first in line first."""
        while self.waiting:
            sequence = min(self.waiting, key=lambda s: s.due)
            while not self._may_start(sequence):
                if not self._give_place(sequence):
                    return
            held = self._cache.acquire(sequence.tokens)
            if held is None:
                return
            self._start(sequence, *held)

    def _may_start(self, sequence: Sequence) -> bool:
        if not self.running:
            return True
        return len(self.running) < self._n_parallel and self._fits(sequence)

    def _give_place(self, sequence: Sequence) -> bool:
        """Park a background sequence for an interactive one that stands before it in line."""
        last = max(self.running, key=lambda s: s.due)
        gives = last.params.priority > sequence.params.priority and last.due > sequence.due
        if gives:
            self.preempt(last)
        return gives

    def _start(self, sequence: Sequence, slot: int, held: int) -> None:
        sequence.slot, sequence.computed = slot, held
        if not sequence.started_at:  # later it may find here what it computed itself
            sequence.n_cached = min(held, sequence.n_prompt)
        self.waiting.remove(sequence)
        self.running.append(sequence)

    def _fits(self, sequence: Sequence) -> bool:
        # parked slots count as free here: they are evicted when the cells are needed
        needed = sum(s.n_pending for s in self.running) + self._cache.n_new(sequence.tokens)
        return needed <= self._cache.n_available

    def _divide(self) -> list[Share]:
        ready = [s for s in self.running if s.n_computable > 0]
        shares = [Share(s, 1) for s in ready if s.is_decoding and s.n_computable == 1]
        chunk = SHARED_CHUNK if any(s.is_decoding for s in self.running) else self._n_batch
        left = min(self._n_batch - len(shares), chunk)
        # forced tokens and what a preempted sequence computes again are prefills by their cost
        longer = (s for s in ready if not (s.is_decoding and s.n_computable == 1))
        for sequence in sorted(longer, key=self._prefill_order):
            if left <= 0:
                break
            shares.append(Share(sequence, min(sequence.n_computable, left)))
            left -= shares[-1].n_tokens
        return shares

    @staticmethod
    def _prefill_order(sequence: Sequence) -> float:
        return sequence.due + sequence.n_pending / TOKENS_PER_S

    def preempt(self, sequence: Sequence) -> None:
        """Park the sequence and let it wait; what is evicted meanwhile will be computed again."""
        self.running.remove(sequence)
        self._cache.park(sequence.slot)
        sequence.slot, sequence.computed = NO_SLOT, 0
        self.waiting.append(sequence)

    def _last_one(self, share: Share) -> list[Share]:
        # alone and still no room: the window is full, so the generation ends here
        room = min(share.n_tokens, self._cache.n_free)
        if room == 0:
            share.sequence.ended = "length"
            return []
        return [Share(share.sequence, room)]
