"""What runs in the next step: decodes first, then prompt tokens in chunks."""

from __future__ import annotations

from collections.abc import Sequence as List
from dataclasses import dataclass

from edge_agent.engine.core.pace import Pace
from edge_agent.engine.core.sequence import NO_SLOT, Sequence
from edge_agent.engine.kv.cache import PrefixCache
from edge_agent.engine.kv.cells import common_prefix
from edge_agent.errors import EngineBusy

# How long a step may be while somebody reads a stream, by who waits for the prompt: 0.6 s is two
# words a second, 0.3 s about the speed of speech. Nobody reads a background stream.
READER_GAP_S = {0: 0.6, 1: 0.3}
# The smallest chunk that is given to a prompt beside a stream: the kernels work on 16 rows at once,
# so that fewer cost nearly as much (1.5B on 2 cores: 8 tokens 6.9 single steps, 16 tokens 8.2).
LEAST_CHUNK = 16
MAX_WAITING = 256
WORTH_WAITING = 16  # tokens that another is computing: fewer are sooner computed once more


@dataclass(frozen=True, slots=True)
class Share:
    """How many pending tokens of a sequence the next step computes, and guesses behind them."""

    sequence: Sequence
    n_tokens: int
    draft: tuple[int, ...] = ()

    @property
    def n_computed(self) -> int:
        return self.n_tokens + len(self.draft)


class Scheduler:
    """Waiting and running sequences, and the rule that picks among them.

    Running sequences that decode come first, one another's equals; what is left of the batch goes
    to prefills, the one with the least left to do first. While somebody reads a stream a step takes
    no more of a prompt than keeps it short; when nobody does, all that the batch holds. When cells
    run out: parked prefixes are evicted, then the sequence last in line is sent back to wait (its
    tokens are kept, and its cells as long as nobody needs them), then the batch shrinks. An
    interactive sequence that finds all places taken gets that of a background one. A prompt whose
    beginning another one is just computing waits for it. No sequence is
    failed because another is large, and none waits for ever: each has a place in one line
    (`Sequence.due`), and whoever is first in it is never sent back.
    """

    def __init__(
        self,
        cache: PrefixCache,
        n_parallel: int,
        n_batch: int,
        pace: Pace,
        shared_chunk: int = 0,
        longest_step_s: float | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._cache = cache
        self._n_parallel = min(n_parallel, n_batch)  # each that decodes has its token in a step
        self._n_batch = n_batch
        self._pace = pace
        self._shared_chunk = shared_chunk
        self._longest_step_s = longest_step_s  # None: a step can be broken off
        self._max_waiting = max_waiting
        self._n_limit = n_batch  # less than n_batch after llama.cpp found no room
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    @property
    def n_limit(self) -> int:
        """Tokens that a step may hold."""
        return self._n_limit

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; raises EngineBusy when the queue is full."""
        if len(self.waiting) >= self._max_waiting:
            raise EngineBusy(
                f"{len(self.waiting)} requests are waiting already: try again later.", 5.0
            )
        self.waiting.append(sequence)

    def fork(self, parent: Sequence, child: Sequence) -> bool:
        """Let a continuation of a prompt that was just computed run; False when it must wait."""
        slot = None
        if len(self.running) < self._n_parallel:
            slot = self._cache.fork(parent.slot, parent.computed)
        if slot is None:
            self.waiting.append(child)
            return False
        child.slot, child.computed, child.n_cached = slot, parent.computed, parent.computed
        child.started_at = child.now()
        self.running.append(child)
        return True

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
            self.preempt(self.last_in_line)
            shares = self._divide()
        return shares

    @property
    def last_in_line(self) -> Sequence:
        """The running sequence that gives way first."""
        return max(self.running, key=lambda s: (s.due, s.index))

    def _admit(self) -> None:
        """Move waiting sequences into slots, the first in line first."""
        for sequence in sorted(self.waiting, key=lambda s: (s.due, s.index)):
            if len(self.running) >= self._n_parallel and not self._gives_place(sequence):
                return
            if self._is_being_computed(sequence):
                continue
            while not self._may_start(sequence):
                if not self._give_place(sequence):
                    return
            held = self._hold(sequence)
            if held is None:
                return
            self._start(sequence, *held)

    def _hold(self, sequence: Sequence) -> tuple[int, int] | None:
        """A slot for a sequence and how many of its tokens it holds; None when all are busy."""
        if not sequence.is_fresh:
            return self._cache.acquire(sequence.tokens, sequence.params.accept_pruned)
        slot = self._cache.acquire_empty()
        return None if slot is None else (slot, 0)

    def _is_being_computed(self, sequence: Sequence) -> bool:
        """Whether a running prompt will soon hold more of this one's prefix than there is now."""
        prompt, known = sequence.prompt, -1
        if sequence.is_fresh or not self._cache.can_share:
            return False
        for other in self.running:
            if other.is_decoding or other.computed >= other.n_prompt:
                continue
            common = common_prefix(other.prompt, prompt)
            if common > other.computed + WORTH_WAITING:
                known = known if known >= 0 else self._cache.longest(prompt)[1]
                if common > known + WORTH_WAITING:
                    return True
        return False

    def _may_start(self, sequence: Sequence) -> bool:
        if not self.running:
            return True
        return len(self.running) < self._n_parallel and self._fits(sequence)

    def _give_place(self, sequence: Sequence) -> bool:
        """Park a background sequence for an interactive one that stands before it in line."""
        gives = self._gives_place(sequence)
        if gives:
            self.preempt(self.last_in_line)
        return gives

    def _gives_place(self, sequence: Sequence) -> bool:
        last = self.last_in_line
        return last.params.priority > sequence.params.priority and last.due > sequence.due

    def _start(self, sequence: Sequence, slot: int, held: int) -> None:
        sequence.slot, sequence.computed = slot, held
        if not sequence.started_at:  # later it may find here what it computed itself
            sequence.n_cached = min(held, sequence.n_prompt)
        self.waiting.remove(sequence)
        self.running.append(sequence)

    def _fits(self, sequence: Sequence) -> bool:
        # parked slots count as free here: they are evicted when the cells are needed
        own = sequence.n_pending if sequence.is_fresh else self._cache.n_new(sequence.tokens)
        return sum(s.n_pending for s in self.running) + own <= self._cache.n_available

    def _divide(self) -> list[Share]:
        ready = [s for s in self.running if s.n_computable > 0]
        shares = [Share(s, 1) for s in ready if s.is_decoding and s.n_computable == 1]
        # forced tokens and what a preempted sequence computes again are prefills by their cost
        longer = [s for s in ready if not (s.is_decoding and s.n_computable == 1)]
        left = min(self._n_limit - len(shares), self._chunk(longer, len(shares)))
        for sequence in sorted(longer, key=self._prefill_order):
            if left <= 0:
                break
            shares.append(Share(sequence, min(sequence.n_computable, left)))
            left -= shares[-1].n_tokens
        return shares[: self._n_limit]

    def _chunk(self, prompts: List[Sequence], n_decoding: int) -> int:
        """Prompt tokens that the next step may hold."""
        if not prompts:
            return 0
        step_s = self._longest_step_s
        if len(self.running) > 1 and any(s.is_read for s in self.running):
            if self._shared_chunk:
                return self._shared_chunk
            step_s = READER_GAP_S[min(1, min(s.params.priority for s in prompts))]
        if step_s is None:
            return self._n_batch
        return self._pace.largest(step_s, n_decoding, LEAST_CHUNK, self._n_batch)

    def _prefill_order(self, sequence: Sequence) -> float:
        # the shortest goes first, and a long one is passed only for so long
        return sequence.due + self._pace.seconds(sequence.n_pending)

    def preempt(self, sequence: Sequence) -> None:
        """Park the sequence and let it wait; what the vault cannot keep is computed again."""
        self.running.remove(sequence)
        self._cache.park(sequence.slot)
        sequence.slot, sequence.computed = NO_SLOT, 0
        self.waiting.append(sequence)

    def no_room(self) -> None:
        """llama.cpp found no cells where the record says there are some: give way, step by step."""
        if self._cache.evict_one() or self._cache.unpin_all():
            return
        if len(self.running) > 1:
            self.preempt(self.last_in_line)
        elif self._n_limit > 1:
            self._n_limit //= 2
        else:
            self.running[0].ended = "length"

    def had_room(self) -> None:
        """The step was computed."""
        self._n_limit = self._n_batch

    def _last_one(self, share: Share) -> list[Share]:
        # alone and still no room: pinned prefixes go, and then the window is full
        if self._cache.unpin_all() and self._cache.make_room(share.n_tokens):
            return [share]
        room = min(share.n_tokens, self._cache.n_free)
        if room == 0:
            share.sequence.ended = "length"
            return []
        return [Share(share.sequence, room)]
