"""The prefix cache and the edits over the fake memory, whatever comes in whatever order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.engine.kv.cache import MAX_PINNED, PrefixCache
from edge_agent.engine.kv.edits import Editor
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import Park, Prune, Resume, Rollback
from edge_agent.errors import NotFound

from ..fakes import Clock, FakeMemory

runs = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), min_size=1, max_size=4)
prompts = runs.map(lambda pairs: [token for token, n in pairs for _ in range(n)])
mostly = st.sampled_from([True, True, True, False])
N_SLOTS, N_CELLS = 5, 300


class Books(RuleBasedStateMachine):
    """Whatever happens, the record, the memory and the count of cells agree."""

    @initialize(
        can_shift=mostly,
        kept=st.sampled_from([0, 3000, 1 << 20]),
    )
    def begin(self, can_shift: bool, kept: int) -> None:
        self.memory = FakeMemory(N_CELLS, can_shift=can_shift)
        self.vault = Vault(kept, None)
        self.clock = Clock()
        self.cache = PrefixCache(self.memory, N_CELLS, N_SLOTS, self.vault, self.clock)
        self.editor = Editor(self.cache, self.vault)
        self.busy: dict[int, list[int]] = {}
        self.pins: dict[int, list[int]] = {}

    @rule(tokens=prompts, accept_pruned=st.booleans(), ends=mostly, seconds=st.floats(0, 50))
    def start(self, tokens: list[int], accept_pruned: bool, ends: bool, seconds: float) -> None:
        self.clock.now_s += seconds
        held = self.cache.acquire(tokens, accept_pruned)
        if held is None:
            assert len(self.busy) + len(self.cache.pinned) == N_SLOTS
            return
        slot, shared = held
        assert slot not in self.busy
        assert shared < len(tokens)
        assert accept_pruned or self.memory.n_exact(slot) == shared
        self.busy[slot] = tokens[:shared]
        self.grow(slot, tokens[shared:])
        if ends:
            self.end(slot)

    @rule(data=st.data(), accept_pruned=st.booleans(), ends=mostly)
    def start_from_what_is_known(
        self, data: st.DataObject, accept_pruned: bool, ends: bool
    ) -> None:
        self.start([*self.draw_known(data), 1], accept_pruned, ends, 1.0)

    def end(self, slot: int) -> None:
        del self.busy[slot]
        self.cache.park(slot)

    def grow(self, slot: int, more: list[int]) -> None:
        if self.cache.make_room(len(more)):
            self.cache.extend(slot, more)
            self.memory.compute(slot, more)
            self.busy[slot] = self.busy[slot] + more

    def draw_busy(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.busy)))

    def draw_known(self, data: st.DataObject) -> tuple[int, ...]:
        """The beginning of what some slot holds, and sometimes more."""
        held = [self.cache.ids(i).tolist() for i in range(N_SLOTS) if self.cache.lengths[i]]
        ids = data.draw(st.sampled_from(held or [[1, 2]]))
        n = data.draw(st.one_of(st.just(len(ids)), st.integers(0, len(ids))))
        return tuple(ids[:n] + data.draw(st.lists(st.integers(0, 2), max_size=2)))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), more=prompts)
    def go_on(self, data: st.DataObject, more: list[int]) -> None:
        self.grow(self.draw_busy(data), more)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.end(self.draw_busy(data))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), keep=st.integers(0, 100))
    def cut(self, data: st.DataObject, keep: int) -> None:
        slot = self.draw_busy(data)
        self.busy[slot] = self.busy[slot][:keep]
        assert self.cache.truncate(slot, keep) == len(self.busy[slot])

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), ends=mostly)
    def fork(self, data: st.DataObject, ends: bool) -> None:
        slot = self.draw_busy(data)
        length = data.draw(st.integers(0, len(self.busy[slot])))
        free = self.cache.n_free
        fork = self.cache.fork(slot, length)
        if fork is not None:
            assert fork not in self.busy
            assert self.cache.n_free >= free
            self.busy[fork] = self.busy[slot][:length]
            if ends:
                self.end(slot)

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), length=st.integers(1, 80))
    def pin(self, data: st.DataObject, length: int) -> None:
        slot = self.draw_busy(data)
        self.cache.pin(slot, min(length, len(self.busy[slot])))
        self.pins = {s.index: s.ids.tolist() for s in self.cache.pinned}

    @rule()
    def unpin(self) -> None:
        assert self.cache.unpin_all() == bool(self.pins)
        self.pins = {}

    @rule(n=st.integers(0, N_CELLS))
    def make_room(self, n: int) -> None:
        possible = self.cache.n_available
        assert self.cache.make_room(n) == (n <= possible)

    # what the agent asks for

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        ids = self.draw_known(data)
        length = data.draw(st.integers(0, len(ids)))
        left = self.editor.edit(Rollback(ids, length))
        assert self.held_of(ids[:length]) >= left.held
        assert left.exact <= left.held <= length

    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        ids = self.draw_known(data)
        start = data.draw(st.integers(0, len(ids)))
        stop = min(start + data.draw(st.integers(0, 40)), len(ids))
        left = self.editor.edit(Prune(ids, start, stop))
        assert left.exact <= left.held
        assert self.held_of(ids[:start] + ids[stop:]) >= left.held

    @rule(data=st.data(), name=st.sampled_from("ab"))
    def park_by_name(self, data: st.DataObject, name: str) -> None:
        self.editor.edit(Park(name, self.draw_known(data)))

    @rule(name=st.sampled_from("ab"))
    def resume(self, name: str) -> None:
        try:
            left = self.editor.edit(Resume(name))
        except NotFound:
            return
        assert left.exact == left.held

    def held_of(self, ids: tuple[int, ...]) -> int:
        return self.cache.longest(np.array(ids, np.int32), accept_pruned=True)[1]

    # what must hold

    @invariant()
    def record_and_memory_agree(self) -> None:
        for i in range(N_SLOTS):
            assert self.cache.ids(i).tolist() == self.memory.ids(i)
            assert self.cache.slot(i).exact <= self.memory.n_exact(i)
        assert self.cache.n_free == self.memory.n_free
        assert self.cache.n_free + self.cache.n_held == N_CELLS

    @invariant()
    def what_a_running_sequence_holds_is_left_alone(self) -> None:
        for i, tokens in self.busy.items():
            assert self.memory.ids(i) == tokens
        for i in range(N_SLOTS):
            assert self.cache.slot(i).busy == (i in self.busy)

    @invariant()
    def what_is_pinned_stays(self) -> None:
        assert {s.index: s.ids.tolist() for s in self.cache.pinned} == self.pins
        assert len(self.pins) <= MAX_PINNED
        for i in self.pins:
            assert i not in self.busy
            assert self.cache.slot(i).exact == len(self.pins[i])

    @invariant()
    def available_is_what_eviction_would_free(self) -> None:
        assert self.cache.n_free <= self.cache.n_available <= N_CELLS


TestBooks: Callable[[], object] = Books.TestCase
Books.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
