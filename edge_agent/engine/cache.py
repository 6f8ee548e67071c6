"""Which tokens already lie in the KV cache, in which slot, and how many cells they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
NO_IDS: Ids = np.zeros(0, np.int32)


class KvMemory(Protocol):
    """The three edits the cache makes to the KV cells (`llama.Llama` has them)."""

    def share(self, source: int, target: int, length: int) -> None: ...

    def truncate(self, seq: int, length: int) -> bool: ...


class CellPool:
    """A mirror of llama.cpp's unified cells: which are used, and by how many slots."""

    def __init__(self, n_cells: int) -> None:
        self._users = np.zeros(n_cells, np.int32)

    def __len__(self) -> int:
        return len(self._users)

    @property
    def n_free(self) -> int:
        return int(np.count_nonzero(self._users == 0))

    def take(self, n: int) -> Ids:
        """The numbers of `n` free cells, now used once. The caller has checked n_free."""
        cells = np.flatnonzero(self._users == 0)[:n].astype(np.int32)
        self._users[cells] = 1
        return cells

    def share(self, cells: Ids) -> Ids:
        self._users[cells] += 1
        return cells

    def release(self, cells: Ids) -> None:
        self._users[cells] -= 1


@dataclass(slots=True)
class Slot:
    """What one llama.cpp sequence holds: token ids, and the mirror's cell of each."""

    index: int
    ids: Ids = field(default_factory=NO_IDS.copy)
    cells: Ids = field(default_factory=NO_IDS.copy)
    busy: bool = False
    used_at: int = 0


def common_prefix(a: Ids, b: Ids) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n


class PrefixCache:
    """Slots over one unified KV cache. The record of ids and the cells always agree.

    A prompt shares the longest prefix that any slot holds, parked or busy, without a copy. Slots
    that no sequence uses stay parked until their cells or their number are needed; the least
    recently used goes first.
    """

    def __init__(self, memory: KvMemory, n_cells: int, n_slots: int) -> None:
        self._memory = memory
        self._pool = CellPool(n_cells)
        self._slots = [Slot(i) for i in range(n_slots)]
        self._clock = 0

    @property
    def n_free(self) -> int:
        """Cells that nothing holds."""
        return self._pool.n_free

    @property
    def n_available(self) -> int:
        """Cells that are free or would be after evicting every parked slot."""
        held = [slot.cells for slot in self._slots if slot.busy]
        return len(self._pool) - (len(np.unique(np.concatenate(held))) if held else 0)

    @property
    def n_parked(self) -> int:
        """Slots that hold tokens nobody is using."""
        return sum(1 for slot in self._slots if not slot.busy and len(slot.ids))

    @property
    def n_busy(self) -> int:
        return sum(1 for slot in self._slots if slot.busy)

    def ids(self, index: int) -> Ids:
        return self._slots[index].ids

    def n_new(self, tokens: Sequence[int]) -> int:
        """Cells that `tokens` would take beside those that busy slots hold already."""
        prompt = np.asarray(tokens, np.int32)
        busy = (common_prefix(slot.ids, prompt) for slot in self._slots if slot.busy)
        return len(prompt) - max(busy, default=0)

    def acquire(self, tokens: Sequence[int]) -> tuple[int, int] | None:
        """A slot for `tokens` and how many of them it holds already; None when all are busy.

        At least one token is left to compute, because only a computed token has logits.
        """
        prompt = np.asarray(tokens, np.int32)
        best = max(self._slots, key=lambda s: (common_prefix(s.ids, prompt), s.used_at))
        shared = min(common_prefix(best.ids, prompt), len(prompt) - 1)
        slot = self._choose(best, shared)
        if slot is None:
            return None
        if slot is not best:
            self._hold_prefix_of(best, slot, shared)
        slot.busy = True
        self._touch(slot)
        return slot.index, self.truncate(slot.index, shared)

    def _choose(self, best: Slot, shared: int) -> Slot | None:
        # a conversation that goes on takes its own slot; a side branch leaves it standing
        if not best.busy and shared and shared >= len(best.ids) // 2:
            return best
        idle = [slot for slot in self._slots if not slot.busy]
        others = [slot for slot in idle if slot is not best] or idle
        return min(others, key=lambda s: (len(s.ids) > 0, s.used_at)) if others else None

    def _hold_prefix_of(self, source: Slot, target: Slot, length: int) -> None:
        self._clear(target)
        if length:
            self._memory.share(source.index, target.index, length)
            target.ids = source.ids[:length].copy()
            target.cells = self._pool.share(source.cells[:length].copy())

    def extend(self, index: int, ids: Sequence[int]) -> None:
        """Record tokens that were just decoded into the slot."""
        slot = self._slots[index]
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
        return len(slot.ids)

    def park(self, index: int) -> None:
        """Nobody uses the slot now; what it holds may be shared until it is evicted."""
        self._slots[index].busy = False

    def make_room(self, n_cells: int) -> bool:
        """Evict parked slots until `n_cells` are free; False when that is not enough."""
        while self.n_free < n_cells and self.evict_one():
            pass
        return self.n_free >= n_cells

    def evict_one(self) -> bool:
        """Clear the parked slot that was used least recently; False when none is parked."""
        parked = [slot for slot in self._slots if not slot.busy and len(slot.ids)]
        if parked:
            self._clear(min(parked, key=lambda s: s.used_at))
        return bool(parked)

    def clear(self, index: int) -> None:
        """Forget everything the slot holds."""
        self._clear(self._slots[index])

    def _clear(self, slot: Slot) -> None:
        self._memory.truncate(slot.index, 0)
        self._pool.release(slot.cells)
        slot.ids, slot.cells = NO_IDS.copy(), NO_IDS.copy()

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used_at = self._clock
