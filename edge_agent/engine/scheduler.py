"""What runs in the next step: decodes first, then prompt tokens in chunks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge_agent.engine.cache import PrefixCache
from edge_agent.engine.sequence import NO_SLOT, Sequence
from edge_agent.errors import EngineBusy

# Prompt tokens a step may add while somebody reads a stream: 64 cost 11 single steps and run at
# nine tenths of the full prefill speed (1.5B Q4_K_M on 2 cores).
SHARED_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Share:
    """How many pending tokens of a sequence the next step computes."""

    sequence: Sequence
    n_tokens: int


class Scheduler:
    """Waiting and running sequences, and the rule that picks among them.

    Running sequences that decode come first, one another's equals; what is left of the batch goes
    to prefills, the one with the least left to do first. When cells run out: parked prefixes are
    evicted, then the youngest sequence is sent back to wait (its tokens are kept and computed
    again later). No sequence is failed because another is large.
    """

    def __init__(
        self, cache: PrefixCache, n_parallel: int, n_batch: int, max_waiting: int = 256
    ) -> None:
        self._cache = cache
        self._n_parallel = n_parallel
        self._n_batch = n_batch
        self._max_waiting = max_waiting
        self.waiting: deque[Sequence] = deque()
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
            self.preempt(max(self.running, key=lambda s: s.submitted_at))
            shares = self._divide()
        return shares

    def _admit(self) -> None:
        """Move waiting sequences into slots: interactive before background, then first come."""
        while self.waiting and len(self.running) < self._n_parallel:
            sequence = min(self.waiting, key=lambda s: (s.params.priority, s.submitted_at))
            if self.running and not self._fits(sequence):
                return
            held = self._cache.acquire(sequence.tokens)
            if held is None:
                return
            sequence.slot, sequence.computed = held
            sequence.n_cached = max(sequence.n_cached, min(held[1], sequence.n_prompt))
            self.waiting.remove(sequence)
            self.running.append(sequence)

    def _fits(self, sequence: Sequence) -> bool:
        # parked slots count as free here: they are evicted when the cells are needed
        needed = sum(s.n_pending for s in self.running) + len(sequence.tokens)
        return needed <= self._cache.n_available

    def _divide(self) -> list[Share]:
        decoding = [s for s in self.running if s.is_decoding]
        chunk = SHARED_CHUNK if decoding else self._n_batch
        shares = [Share(s, min(s.n_pending, chunk)) for s in decoding]
        left = min(self._n_batch - sum(share.n_tokens for share in shares), chunk)
        prefilling = (s for s in self.running if not s.is_decoding)
        for sequence in sorted(prefilling, key=lambda s: (s.params.priority, s.n_pending)):
            if left <= 0:
                break
            shares.append(Share(sequence, min(sequence.n_pending, left)))
            left -= shares[-1].n_tokens
        return shares

    def preempt(self, sequence: Sequence) -> None:
        """Give the sequence's cells back and let it wait; it will be computed again."""
        self.running.remove(sequence)
        self._cache.clear(sequence.slot)
        self._cache.park(sequence.slot)
        sequence.slot, sequence.computed = NO_SLOT, 0
        self.waiting.appendleft(sequence)

    def _last_one(self, share: Share) -> list[Share]:
        # alone and still no room: the window is full, so the generation ends here
        room = min(share.n_tokens, self._cache.n_free)
        if room == 0:
            share.sequence.ended = "length"
            return []
        return [Share(share.sequence, room)]
