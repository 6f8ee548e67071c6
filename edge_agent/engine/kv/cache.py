"""Which tokens already lie in the KV cache, in which slot; and what is kept outside of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.engine.kv.cells import NO_IDS, CellPool, Ids, Slot
from edge_agent.engine.kv.vault import Vault

PARKED_SHARE = 0.75  # of the cells may lie parked: attention passes over them in every step
PINNED_SHARE = 0.25  # of the cells may be pinned
MAX_PINNED = 2  # pinned prefixes, each with a slot of its own
WORTH_KEEPING = 64  # tokens; fewer are sooner computed again than copied out and in
YOUNG_S = 10.0  # seconds of age that make no difference to what a parked prefix is worth


def slots_for(n_parallel: int) -> int:
    """Slots for so many sequences at once: theirs, as many parked and two more, and the pinned."""
    return n_parallel * 2 + 2 + MAX_PINNED


class KvMemory(Protocol):
    """The edits the cache makes to the KV cells (`llama.Llama` has them)."""

    @property
    def can_cut(self) -> bool: ...

    def share(self, source: int, target: int, length: int) -> None: ...

    def truncate(self, seq: int, length: int) -> bool: ...

    def clear(self) -> None: ...

    def cut(self, seq: int, start: int, stop: int) -> bool: ...

    def save(self, seq: int) -> NDArray[np.uint8]: ...

    def load(self, seq: int, state: NDArray[np.uint8]) -> bool: ...


class PrefixCache:
    """Slots over one unified KV cache. The record of ids and the cells always agree.

    A prompt shares the longest prefix that any slot holds, parked or busy, without a copy. Slots
    that no sequence uses stay parked until their cells or their number are needed; the one that is
    worth least goes first: what it would cost to compute again, by how long ago it was used. It
    goes into the vault, from where it comes back by a copy. Pinned prefixes have slots of their
    own and go last.
    """

    def __init__(
        self,
        memory: KvMemory,
        n_cells: int,
        n_slots: int,
        vault: Vault | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._pool = CellPool(n_cells)
        self._slots = [Slot(i) for i in range(n_slots)]
        self._vault = vault
        self._clock = clock

    # what there is

    @property
    def n_free(self) -> int:
        """Cells that nothing holds."""
        return self._pool.n_free

    @property
    def n_available(self) -> int:
        """Cells that are free or would be after evicting every parked slot."""
        return len(self._pool) - self._n_cells([s for s in self._slots if not s.is_idle])

    @property
    def can_share(self) -> bool:
        """Whether a part of what a slot holds is of use to another."""
        return self._memory.can_cut

    @property
    def n_held(self) -> int:
        """Cells that some slot holds: all that are not free."""
        return self._n_cells(self._slots)

    @property
    def n_parked(self) -> int:
        """Slots that hold tokens nobody is using."""
        return len(self._parked())

    @property
    def n_busy(self) -> int:
        return sum(slot.busy for slot in self._slots)

    @property
    def pinned(self) -> list[Slot]:
        """The slots of pinned prefixes."""
        return [slot for slot in self._slots if slot.pinned]

    @property
    def lengths(self) -> list[int]:
        """Tokens that each slot holds, by index."""
        return [len(slot.ids) for slot in self._slots]

    def ids(self, index: int) -> Ids:
        return self._slots[index].ids

    def slot(self, index: int) -> Slot:
        return self._slots[index]

    def idle(self) -> Slot | None:
        """The slot that costs least to empty; None when all are in use."""
        return self._cheapest_idle()

    def save(self, index: int) -> NDArray[np.uint8]:
        """The slot's keys and values, to be put back with `put`."""
        return self._memory.save(index)

    def n_new(self, tokens: Sequence[int]) -> int:
        """Cells that `tokens` would take beside those that busy slots hold already."""
        prompt = np.asarray(tokens, np.int32)
        busy = (slot.shares(prompt, False) for slot in self._slots if not slot.is_idle)
        return len(prompt) - max(busy, default=0)

    def _parked(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.is_parked]

    @staticmethod
    def _n_cells(slots: Sequence[Slot]) -> int:
        """How many different cells these slots hold."""
        held = [slot.cells for slot in slots]
        return len(np.unique(np.concatenate(held))) if held else 0

    # a sequence begins

    def acquire(self, tokens: Sequence[int], accept_pruned: bool = False) -> tuple[int, int] | None:
        """A slot for `tokens` and how many of them it holds already; None when all are busy.

        At least one token is left to compute, because only a computed token has logits.
        """
        prompt = np.asarray(tokens, np.int32)
        self._bring(prompt)
        best, shared = self.longest(prompt, accept_pruned)
        shared = min(shared, len(prompt) - 1)
        slot = self._choose(best, shared)
        if slot is None:
            return None
        if slot is not best:
            self._hold_prefix_of(best, slot, shared)
        slot.busy = True
        self._touch(slot)
        return slot.index, self.truncate(slot.index, shared)

    def acquire_empty(self) -> int | None:
        """A slot that holds nothing; None when all are busy.

        Where none is, all are emptied (the vault keeps what is worth it), so that the cells of the
        sequence will lie in its order: attention sums in the order of the cells.
        """
        if not self.n_busy:
            self.unpin_all()
            while self.evict_one():
                pass
            self._memory.clear()
        slot = self._cheapest_idle()
        if slot is None:
            return None
        self._empty(slot)
        slot.busy = True
        self._touch(slot)
        return slot.index

    def longest(self, prompt: Ids, accept_pruned: bool = False) -> tuple[Slot, int]:
        """The slot that can lend most of `prompt`, and how much."""
        lends = [(slot.shares(prompt, accept_pruned), slot.is_idle, slot) for slot in self._slots]
        shared, _, best = max(lends, key=lambda lend: (lend[0], lend[1], lend[2].used_at))
        return best, shared

    def fork(self, index: int, length: int) -> int | None:
        """Another slot with the first `length` tokens of this one, busy; None when all are."""
        source = self._slots[index]
        target = self._cheapest_idle()
        if target is not None:
            self._hold_prefix_of(source, target, length)
            target.busy = True
            self._touch(target)
        return target.index if target is not None else None

    def _choose(self, best: Slot, shared: int) -> Slot | None:
        # a conversation that goes on takes its own slot; a side branch leaves it standing
        if best.is_idle and shared and shared >= len(best.ids) // 2:
            return best
        return self._cheapest_idle(but=best) or (best if best.is_idle else None)

    def _cheapest_idle(self, but: Slot | None = None) -> Slot | None:
        idle = [slot for slot in self._slots if slot.is_idle and slot is not but]
        return min(idle, key=self._worth, default=None)

    def _hold_prefix_of(self, source: Slot, target: Slot, length: int) -> None:
        self._empty(target)
        if length:
            self._memory.share(source.index, target.index, length)
            target.ids = source.ids[:length].copy()
            target.cells = self._pool.share(source.cells[:length].copy())
            target.exact = min(source.exact, length)

    # a sequence goes on

    def extend(self, index: int, ids: Sequence[int]) -> None:
        """Record tokens that were just decoded into the slot."""
        slot = self._slots[index]
        if slot.exact == len(slot.ids):
            slot.exact += len(ids)
        slot.ids = np.concatenate([slot.ids, np.asarray(ids, np.int32)])
        slot.cells = np.concatenate([slot.cells, self._pool.take(len(ids))])
        self._touch(slot)

    def truncate(self, index: int, length: int) -> int:
        """Forget the slot's tokens from `length` on; returns how many it still holds.

        That is 0 for a model whose memory cannot forget a part (hybrid or sliding window).
        """
        slot = self._slots[index]
        if not self._memory.truncate(index, length):
            self._memory.truncate(index, 0)
            length = 0
        self._pool.release(slot.cells[length:])
        slot.ids, slot.cells = slot.ids[:length], slot.cells[:length]
        slot.exact = min(slot.exact, length)
        return len(slot.ids)

    def prune(self, index: int, start: int, stop: int) -> bool:
        """Forget the tokens from start to stop and move those behind them down.

        False when the model cannot, or when another slot that is in use shares cells behind the
        span, which would move with them; parked slots that share them lose them first.
        """
        slot = self._slots[index]
        moved = set(slot.cells[stop:].tolist())
        others = [s for s in self._slots if s is not slot and not moved.isdisjoint(s.cells)]
        if not self.can_share or not all(other.is_parked for other in others):
            return False
        for other in others:
            self.truncate(other.index, stop)
        if not self._memory.cut(index, start, stop):
            return False
        self._pool.release(slot.cells[start:stop])
        slot.ids = np.concatenate([slot.ids[:start], slot.ids[stop:]])
        slot.cells = np.concatenate([slot.cells[:start], slot.cells[stop:]])
        slot.exact = min(slot.exact, start)
        return True

    # a sequence ends

    def park(self, index: int) -> None:
        """Nobody uses the slot now; what it holds may be shared until it is evicted."""
        self._slots[index].busy = False
        while len(parked := self._parked()) > 1:
            if self._n_cells(parked) <= PARKED_SHARE * len(self._pool):
                return
            self._empty(min(parked, key=self._worth))

    def pin(self, index: int, length: int) -> None:
        """Keep the slot's first `length` tokens on disk, and in the cells whatever else comes.

        In the cells only up to a quarter of them; the oldest pins give way to newer ones.
        """
        source = self._slots[index]
        ids = source.ids[:length]
        known = next((s for s in self.pinned if s.shares(ids, True) == length), None)
        fits = length <= PINNED_SHARE * len(self._pool)
        written = self._vault is None or self._vault.pinned(ids)
        target = known or self._cheapest_idle()
        if target is None or source.exact < length or not self.can_share:
            return
        if known is None and (fits or not written):
            self._hold_prefix_of(source, target, length)
            target.pinned = fits
        if target.pinned:
            self._touch(target)
            self._unpin_old()
        if self._vault is not None and not written:
            self._vault.pin(target.ids, self._memory.save(target.index))

    def _unpin_old(self) -> None:
        while len(pinned := self.pinned) > 1 and (
            len(pinned) > MAX_PINNED or self._n_cells(pinned) > PINNED_SHARE * len(self._pool)
        ):
            min(pinned, key=lambda s: s.used_at).pinned = False

    # room

    def make_room(self, n_cells: int) -> bool:
        """Evict parked slots until `n_cells` are free; False when that is not enough."""
        while self.n_free < n_cells and self.evict_one():
            pass
        return self.n_free >= n_cells

    def evict_one(self) -> bool:
        """Empty the parked slot that is worth least; False when none is parked."""
        parked = self._parked()
        if parked:
            self._empty(min(parked, key=self._worth))
        return bool(parked)

    def unpin_all(self) -> bool:
        """Let pinned prefixes be evicted like parked ones; False when there was none."""
        pinned = self.pinned
        for slot in pinned:
            slot.pinned = False
        return bool(pinned)

    def _worth(self, slot: Slot) -> float:
        """Tokens that would have to be computed again, by the seconds since they were used."""
        age_s = max(self._clock() - slot.used_at, 0.0)
        return self._pool.n_own(slot.cells) / (age_s + YOUNG_S)

    def _empty(self, slot: Slot) -> None:
        """Forget what a slot holds, here; the vault keeps it if it is worth it."""
        worth_it = self._pool.n_own(slot.cells) >= WORTH_KEEPING and slot.exact == len(slot.ids)
        if self._vault is not None and worth_it and not self._vault.covers(slot.ids):
            self._vault.keep(slot.ids, self._memory.save(slot.index))
        self.clear(slot.index)

    def clear(self, index: int) -> None:
        """Forget everything the slot holds."""
        slot = self._slots[index]
        self._memory.truncate(index, 0)
        self._pool.release(slot.cells)
        slot.ids, slot.cells, slot.exact = NO_IDS.copy(), NO_IDS.copy(), 0

    def _touch(self, slot: Slot) -> None:
        slot.used_at = self._clock()

    # the vault

    def _bring(self, prompt: Ids) -> None:
        """Copy what the vault has of a prompt into a slot, when that saves computing it."""
        found = self._vault.longest(prompt) if self._vault is not None else None
        if self._vault is None or found is None:
            return
        length, kept = found
        best, here = self.longest(prompt)
        slot = self._cheapest_idle(but=best)
        whole = length == len(kept.ids) or self.can_share
        worth_it = whole and length >= here + WORTH_KEEPING and self._fits(kept.ids)
        if slot is not None and worth_it:
            state = self._vault.load(kept)
            if state is not None:
                self.put(slot, kept.ids, state)

    def _fits(self, ids: Ids) -> bool:
        """Whether a state of these tokens finds room beside what is in use."""
        return len(ids) <= self.n_available

    def put(self, slot: Slot, ids: Ids, state: NDArray[np.uint8]) -> int:
        """Fill an idle slot from a saved state; returns the tokens it then holds: all, or none."""
        self._empty(slot)
        slot.busy = True  # making room must not choose it
        fits = self._fits(ids) and self.make_room(len(ids))
        fits = fits and self._memory.load(slot.index, state)
        slot.busy = False
        if not fits:
            self._memory.truncate(slot.index, 0)
            return 0
        slot.ids, slot.cells, slot.exact = ids.copy(), self._pool.take(len(ids)), len(ids)
        self._touch(slot)
        return len(ids)
