from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.engine.cache import PrefixCache, common_prefix

from .fakes import FakeMemory

N_CELLS = 60
ids = st.lists(st.integers(0, 2), min_size=1, max_size=25)


@given(ids, ids)
def test_common_prefix_is_the_longest(a: list[int], b: list[int]) -> None:
    n = common_prefix(np.array(a, np.int32), np.array(b, np.int32))
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


def filled(cache: PrefixCache, memory: FakeMemory, tokens: list[int]) -> tuple[int, int]:
    held = cache.acquire(tokens)
    assert held is not None
    slot, shared = held
    assert cache.make_room(len(tokens) - shared)
    cache.extend(slot, tokens[shared:])
    memory.grow(slot, len(tokens) - shared)
    return slot, shared


def new_cache(n_slots: int = 4) -> tuple[PrefixCache, FakeMemory]:
    memory = FakeMemory()
    return PrefixCache(memory, N_CELLS, n_slots), memory


def test_a_busy_sequence_lends_its_prefix_without_new_cells() -> None:
    cache, memory = new_cache()
    filled(cache, memory, list(range(20)))
    free = cache.n_free
    slot, shared = filled(cache, memory, [*range(15), 99])
    assert shared == 15
    assert cache.n_free == free - 1
    assert list(cache.ids(slot)) == [*range(15), 99]


def test_a_finished_conversation_goes_on_in_its_own_slot() -> None:
    cache, memory = new_cache()
    first, _ = filled(cache, memory, list(range(20)))
    cache.park(first)
    assert filled(cache, memory, list(range(25))) == (first, 20)


def test_a_full_hit_still_leaves_one_token_to_compute() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(10)))
    cache.park(slot)
    assert filled(cache, memory, list(range(10)))[1] == 9


def test_no_slot_when_all_are_busy() -> None:
    cache, memory = new_cache(2)
    filled(cache, memory, [1, 2])
    filled(cache, memory, [3, 4])
    assert cache.acquire([5, 6]) is None


def test_the_least_recently_used_is_evicted_first_and_only_as_far_as_needed() -> None:
    cache, memory = new_cache()
    old, _ = filled(cache, memory, [1] * 20)
    new, _ = filled(cache, memory, [2] * 20)
    cache.park(old)
    cache.park(new)
    assert cache.make_room(30)
    assert (len(cache.ids(old)), len(cache.ids(new))) == (0, 20)


def test_make_room_never_touches_busy_slots() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, [1] * 40)
    assert not cache.make_room(30)
    assert len(cache.ids(slot)) == 40


def test_a_memory_that_cannot_cut_forgets_everything_and_says_so() -> None:
    memory = FakeMemory(can_cut=False)
    cache = PrefixCache(memory, N_CELLS, 2)
    slot, _ = filled(cache, memory, list(range(10)))
    cache.park(slot)
    held = cache.acquire([*range(8), 77])
    assert held == (slot, 0)
    assert len(cache.ids(slot)) == 0
    assert cache.n_free == N_CELLS


class Books(RuleBasedStateMachine):
    """Whatever happens, the record, the memory and the count of cells agree."""

    def __init__(self) -> None:
        super().__init__()
        self.cache, self.memory = new_cache(4)
        self.busy: dict[int, list[int]] = {}

    @rule(tokens=ids)
    def start(self, tokens: list[int]) -> None:
        held = self.cache.acquire(tokens)
        if held is None:
            assert len(self.busy) == 4
            return
        slot, shared = held
        assert slot not in self.busy
        assert shared < len(tokens)
        self.busy[slot] = tokens[:shared]
        self.grow(slot, tokens[shared:])

    def grow(self, slot: int, more: list[int]) -> None:
        if self.cache.make_room(len(more)):
            self.cache.extend(slot, more)
            self.memory.grow(slot, len(more))
            self.busy[slot] = self.busy[slot] + more

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), more=ids)
    def go_on(self, data: st.DataObject, more: list[int]) -> None:
        self.grow(data.draw(st.sampled_from(sorted(self.busy))), more)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.busy)))
        del self.busy[slot]
        self.cache.park(slot)

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), keep=st.integers(0, 25))
    def cut(self, data: st.DataObject, keep: int) -> None:
        slot = data.draw(st.sampled_from(sorted(self.busy)))
        self.busy[slot] = self.busy[slot][:keep]
        assert self.cache.truncate(slot, keep) == len(self.busy[slot])

    @invariant()
    def record_and_memory_agree(self) -> None:
        for slot in range(4):
            assert len(self.cache.ids(slot)) == self.memory.lengths.get(slot, 0)
        for slot, tokens in self.busy.items():
            assert list(self.cache.ids(slot)) == tokens

    @invariant()
    def shared_prefixes_are_counted_once(self) -> None:
        # distinct prefixes are at least the cells in use, and every token at most one cell
        held = sorted(tuple(int(i) for i in self.cache.ids(s)) for s in range(4))
        total = sum(map(len, held))
        shared = sum(common_prefix(np.array(a), np.array(b)) for a, b in pairwise(held))
        assert total - shared <= N_CELLS - self.cache.n_free <= total

    @invariant()
    def available_is_what_eviction_would_free(self) -> None:
        assert self.cache.n_free <= self.cache.n_available <= N_CELLS


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("n_slots", [1, 3])
def test_everything_can_be_evicted_once_nobody_uses_it(n_slots: int) -> None:
    cache, memory = new_cache(n_slots)
    for _ in range(5):
        slot, _ = filled(cache, memory, [3, 1, 4])
        cache.park(slot)
    assert cache.make_room(N_CELLS)
    assert cache.n_parked == 0
