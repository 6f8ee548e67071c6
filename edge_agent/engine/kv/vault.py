"""States of token sequences outside the KV cells: in memory, and pinned ones on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.engine.kv.cells import Ids, common_prefix
from edge_agent.engine.kv.shelf import Kept, Shelf, longest_of
from edge_agent.engine.kv.shelf_writer import ShelfWriter
from edge_agent.engine.kv.statefile import State

NO_STATE: State = np.zeros(0, np.uint8)
CLOSE_S = 10.0  # for the states that wait to be written when the engine ends


@dataclass(slots=True, eq=False)
class _Holding:
    """One state in memory. With a name, the ids may outlast the state."""

    kept: Kept
    state: State
    name: str | None
    used_at: int

    @property
    def n_bytes(self) -> int:
        return self.kept.ids.nbytes + self.state.nbytes


class Vault:
    """Where states go that leave the cells, bounded by `memory_bytes` (ids are counted, too).

    Out of room, the state goes that is worth least: the tokens it would take to compute it again,
    divided by how many uses of the vault ago it was wanted. States under a name go after all
    others, and leave their ids behind as long as these fit. The newest is never the one to go.
    All but the writing of pins happens in the caller's thread. Arrays that are handed in belong to
    the vault afterwards, and those handed out are its own: neither may be written to.
    """

    def __init__(self, memory_bytes: int, shelf: Shelf | None) -> None:
        self._memory_bytes = memory_bytes
        self._shelf = shelf
        self._writer = ShelfWriter(shelf) if shelf else None
        self._held: dict[Kept, _Holding] = {}
        self._names: dict[str, _Holding] = {}
        self._clock = 0

    @property
    def bytes_held(self) -> int:
        """Memory of all states and of the ids they are known by."""
        return sum(held.n_bytes for held in self._held.values())

    @property
    def n_kept(self) -> int:
        """States in memory, with a name or without."""
        return len(self._with_state())

    def keep(self, ids: Ids, state: State) -> None:
        """Hold what is spilled from the cells, unless it cannot fit or a longer state has it all.

        States of a prefix of `ids` are dropped: this one serves as well.
        """
        if len(ids) and not self.covers(ids):
            self._add(ids, state, None)

    def covers(self, ids: Ids) -> bool:
        """Whether a state in memory has all of `ids`, which then counts as wanted now.

        Ask before taking a state out of the cells for `keep`, which costs a copy of it.
        """
        for held in self._with_state():
            if common_prefix(held.kept.ids, ids) == len(ids):
                self._touch(held)
                return True
        return False

    def longest(self, prompt: Ids) -> tuple[int, Kept] | None:
        """The state, here or on disk, that shares the longest prefix with `prompt`, and how long.

        None when none shares a token. Of equals, one in memory.
        """
        near = longest_of([held.kept for held in self._with_state()], prompt)
        far = self._shelf.longest(prompt) if self._shelf else None
        return max((found for found in (near, far) if found), key=lambda f: f[0], default=None)

    def load(self, kept: Kept) -> State | None:
        """The bytes of what `longest` found; None when it is gone or damaged."""
        held = self._held.get(kept)
        if held is None:
            return self._shelf.load(kept) if self._shelf else None
        self._touch(held)
        return held.state

    def park(self, name: str, ids: Ids, state: State) -> bool:
        """Hold a state under a name, in place of what had the name before; False when it cannot
        be held, and then only the ids are."""
        self.forget(name)
        self._add(ids, state, name)
        held = self._names.get(name)
        return held is not None and len(held.state) > 0

    def resume(self, name: str) -> tuple[Ids, State] | None:
        """What was parked, which leaves the vault; None when nothing is known by the name.

        The state is empty where it had to go: its ids are left to be computed again.
        """
        held = self._names.get(name)
        if held is None:
            return None
        self.forget(name)
        return held.kept.ids, held.state

    def forget(self, name: str) -> None:
        """Drop what is parked under the name, if anything is."""
        held = self._names.get(name)
        if held is not None:
            self._remove(held)

    def pinned(self, ids: Ids) -> bool:
        """Whether there is nothing to `pin`: a state on disk has all of `ids`, or there is no disk.

        Ask before taking a state out of the cells for `pin`, which costs a copy of it.
        """
        return self._shelf is None or self._shelf.covers(ids)

    def pin(self, ids: Ids, state: State) -> None:
        """Write a state to disk, soon and in another thread, unless it is there already."""
        if self._writer and not self.pinned(ids):
            self._writer.write(ids.copy(), _own(state))

    def close(self) -> None:
        """Wait for what is being written, at most `CLOSE_S` seconds."""
        if self._writer:
            self._writer.close(CLOSE_S)

    def _with_state(self) -> list[_Holding]:
        return [held for held in self._held.values() if len(held.state)]

    def _add(self, ids: Ids, state: State, name: str | None) -> None:
        named = sum(held.n_bytes for held in self._names.values()) if name is None else 0
        if ids.nbytes + state.nbytes + named > self._memory_bytes:
            state = NO_STATE
        if name is None and not len(state):
            return
        held = _Holding(Kept(ids.copy(), state.nbytes), _own(state), name, 0)
        self._drop_prefixes_of(held)
        self._held[held.kept] = held
        if name is not None:
            self._names[name] = held
        self._touch(held)
        self._make_room_for(held)

    def _drop_prefixes_of(self, newer: _Holding) -> None:
        ids = newer.kept.ids
        for held in list(self._held.values()) if len(newer.state) else []:
            old = held.kept.ids
            if held.name is None and common_prefix(old, ids) == len(old):
                self._remove(held)

    def _make_room_for(self, newest: _Holding) -> None:
        while self.bytes_held > self._memory_bytes:
            others = [held for held in self._held.values() if held is not newest]
            self._evict(min(others, key=self._worth, default=newest))

    def _worth(self, held: _Holding) -> tuple[bool, bool, float]:
        age = self._clock - held.used_at + 1
        return held.name is not None, not len(held.state), len(held.kept.ids) / age

    def _evict(self, held: _Holding) -> None:
        if held.name is not None and len(held.state):
            held.state = NO_STATE
        else:
            self._remove(held)

    def _remove(self, held: _Holding) -> None:
        del self._held[held.kept]
        if held.name is not None:
            del self._names[held.name]

    def _touch(self, held: _Holding) -> None:
        self._clock += 1
        held.used_at = self._clock


def _own(state: State) -> State:
    # a view would hold on to all of what it looks at; one of the whole buffer may
    whole = state.base is None or state.nbytes == getattr(state.base, "nbytes", -1)
    return state if whole else state.copy()
