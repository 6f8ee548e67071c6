from __future__ import annotations

import numpy as np
import pytest

from edge_agent.engine.kv.cache import MAX_PINNED, PARKED_SHARE, WORTH_KEEPING, PrefixCache
from edge_agent.engine.kv.vault import Vault

from ..fakes import Clock, FakeMemory

N_CELLS = 60


def filled(cache: PrefixCache, memory: FakeMemory, tokens: list[int]) -> tuple[int, int]:
    held = cache.acquire(tokens)
    assert held is not None
    slot, shared = held
    assert cache.make_room(len(tokens) - shared)
    cache.extend(slot, tokens[shared:])
    memory.compute(slot, tokens[shared:])
    return slot, shared


def new_cache(n_slots: int = 4, n_cells: int = N_CELLS) -> tuple[PrefixCache, FakeMemory]:
    memory = FakeMemory(n_cells)
    return PrefixCache(memory, n_cells, n_slots), memory


def test_a_busy_sequence_lends_its_prefix_without_new_cells() -> None:
    cache, memory = new_cache()
    filled(cache, memory, list(range(20)))
    free = cache.n_free
    slot, shared = filled(cache, memory, [*range(15), 99])
    assert shared == 15
    assert cache.n_free == memory.n_free == free - 1
    assert list(cache.ids(slot)) == [*range(15), 99]


def test_a_finished_conversation_goes_on_in_its_own_slot() -> None:
    cache, memory = new_cache()
    first, _ = filled(cache, memory, list(range(20)))
    cache.park(first)
    assert filled(cache, memory, list(range(25))) == (first, 20)


def test_a_side_branch_leaves_the_conversation_standing() -> None:
    cache, memory = new_cache()
    first, _ = filled(cache, memory, list(range(20)))
    cache.park(first)
    second, shared = filled(cache, memory, [*range(5), 99])
    assert (second != first, shared) == (True, 5)
    assert len(cache.ids(first)) == 20


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
    assert cache.fork(0, 2) is None


def test_the_least_recently_used_is_evicted_first_and_only_as_far_as_needed() -> None:
    clock = Clock()
    memory = FakeMemory(N_CELLS)
    cache = PrefixCache(memory, N_CELLS, 4, clock=clock)
    old, _ = filled(cache, memory, [1] * 20)
    clock.now_s += 60
    new, _ = filled(cache, memory, [2] * 20)
    cache.park(new)
    cache.park(old)
    assert cache.make_room(30)
    assert (len(cache.ids(old)), len(cache.ids(new))) == (0, 20)


def test_of_two_as_old_the_one_that_is_cheaper_to_compute_goes_first() -> None:
    cache, memory = new_cache()
    long, _ = filled(cache, memory, [1] * 25)
    short, _ = filled(cache, memory, [2] * 10)
    cache.park(long)
    cache.park(short)
    assert cache.evict_one()
    assert (len(cache.ids(long)), len(cache.ids(short))) == (25, 0)


def test_what_others_hold_too_costs_nothing_to_evict() -> None:
    cache, memory = new_cache()
    filled(cache, memory, list(range(30)))  # and stays busy
    twin, _ = filled(cache, memory, [*range(29), 99])
    other, _ = filled(cache, memory, [5, 5])
    cache.park(twin)
    cache.park(other)
    assert cache.evict_one()
    assert (len(cache.ids(twin)), len(cache.ids(other))) == (0, 2)


def test_parked_prefixes_take_no_more_than_their_share() -> None:
    cache, memory = new_cache()
    for token in (1, 2, 3):
        cache.park(filled(cache, memory, [token] * 20)[0])
    assert cache.n_parked == 2
    assert cache.n_held <= PARKED_SHARE * N_CELLS


def test_make_room_never_touches_busy_slots() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, [1] * 40)
    assert not cache.make_room(30)
    assert len(cache.ids(slot)) == 40


def test_a_memory_that_cannot_cut_forgets_everything_and_says_so() -> None:
    memory = FakeMemory(N_CELLS, can_cut=False)
    cache = PrefixCache(memory, N_CELLS, 2)
    slot, _ = filled(cache, memory, list(range(10)))
    cache.park(slot)
    held = cache.acquire([*range(8), 77])
    assert held == (slot, 0)
    assert len(cache.ids(slot)) == 0
    assert cache.n_free == memory.n_free == N_CELLS


@pytest.mark.parametrize("n_slots", [1, 3])
def test_everything_can_be_evicted_once_nobody_uses_it(n_slots: int) -> None:
    cache, memory = new_cache(n_slots)
    for _ in range(5):
        slot, _ = filled(cache, memory, [3, 1, 4])
        cache.park(slot)
    assert cache.make_room(N_CELLS)
    assert cache.n_parked == 0
    assert memory.n_free == N_CELLS


# forks


def test_a_fork_takes_a_slot_and_no_cells() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    free = cache.n_free
    fork = cache.fork(slot, 20)
    assert fork is not None and fork != slot
    assert cache.n_free == memory.n_free == free
    assert memory.ids(fork) == list(range(20))
    assert cache.n_busy == 2


# pruning


def test_what_stood_behind_a_pruned_span_moves_down_and_is_not_exact() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    assert cache.prune(slot, 5, 10)
    assert memory.ids(slot) == list(cache.ids(slot)) == [*range(5), *range(10, 20)]
    assert cache.slot(slot).exact == memory.n_exact(slot) == 5
    assert cache.n_free == memory.n_free == N_CELLS - 15


def test_what_is_computed_behind_pruned_tokens_is_not_exact_either() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    cache.prune(slot, 5, 10)
    cache.extend(slot, [7, 7])
    cache.park(slot)
    kept = [*range(5), *range(10, 20), 7, 7, 8]
    assert cache.longest(np.array(kept, np.int32))[1] == 5
    assert cache.longest(np.array(kept, np.int32), accept_pruned=True)[1] == 17


def test_cells_of_a_busy_sequence_are_not_moved_under_it() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    fork = cache.fork(slot, 15)
    assert fork is not None
    assert not cache.prune(fork, 5, 10)
    assert memory.ids(slot) == list(range(20))
    assert memory.ids(fork) == list(range(15))


def test_a_parked_prefix_that_shares_moved_cells_keeps_what_stands_before_them() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    fork = cache.fork(slot, 15)
    assert fork is not None
    cache.park(slot)
    assert cache.prune(fork, 5, 10)
    assert memory.ids(slot) == list(cache.ids(slot)) == list(range(10))


def test_a_memory_that_cannot_shift_refuses_and_nothing_is_lost() -> None:
    memory = FakeMemory(N_CELLS, can_shift=False)
    cache = PrefixCache(memory, N_CELLS, 2)
    slot, _ = filled(cache, memory, list(range(20)))
    assert not cache.prune(slot, 5, 10)
    assert memory.ids(slot) == list(cache.ids(slot)) == list(range(20))


# pins


def test_a_pinned_prefix_outlives_everything_parked_and_goes_when_it_must() -> None:
    cache, memory = new_cache()
    slot, _ = filled(cache, memory, list(range(20)))
    cache.pin(slot, 10)
    cache.park(slot)
    (pinned,) = cache.pinned
    assert not cache.make_room(N_CELLS)
    assert memory.ids(pinned.index) == list(range(10))
    assert cache.unpin_all()
    assert cache.make_room(N_CELLS)


def test_a_prefix_that_is_pinned_already_takes_no_second_slot() -> None:
    cache, memory = new_cache(n_slots=8)
    slot, _ = filled(cache, memory, list(range(20)))
    cache.pin(slot, 10)
    cache.pin(slot, 8)
    assert len(cache.pinned) == 1


def test_the_oldest_pin_gives_way_to_a_newer_one() -> None:
    clock = Clock()
    memory = FakeMemory(200)
    cache = PrefixCache(memory, 200, 8, clock=clock)
    for token in range(MAX_PINNED + 1):
        slot, _ = filled(cache, memory, [token] * 12)
        cache.pin(slot, 10)
        cache.park(slot)
        clock.now_s += 1
    assert sorted(int(slot.ids[0]) for slot in cache.pinned) == [1, 2]


def test_a_pin_that_is_used_again_is_not_the_oldest() -> None:
    clock = Clock()
    memory = FakeMemory(200)
    cache = PrefixCache(memory, 200, 8, clock=clock)
    for token in (0, 1, 0, 2):
        slot, _ = filled(cache, memory, [token] * 12)
        cache.pin(slot, 10)
        cache.park(slot)
        clock.now_s += 1
    assert sorted(int(slot.ids[0]) for slot in cache.pinned) == [0, 2]


def test_what_is_too_large_or_was_moved_is_not_pinned() -> None:
    cache, memory = new_cache(n_cells=40)
    slot, _ = filled(cache, memory, list(range(20)))
    cache.pin(slot, 11)
    assert not cache.pinned
    cache.prune(slot, 2, 4)
    cache.pin(slot, 5)
    assert not cache.pinned
    cache.pin(slot, 2)
    assert len(cache.pinned) == 1


# the vault


def spilling(n_cells: int = 200) -> tuple[PrefixCache, FakeMemory, Vault]:
    memory, vault = FakeMemory(n_cells), Vault(1 << 20, None)
    return PrefixCache(memory, n_cells, 4, vault), memory, vault


def test_what_is_evicted_comes_back_from_the_vault() -> None:
    cache, memory, vault = spilling()
    cache.park(filled(cache, memory, [1] * 100)[0])
    cache.make_room(200)
    assert (cache.n_held, vault.n_kept) == (0, 1)
    slot, shared = filled(cache, memory, [1] * 110)
    assert shared == 100
    assert memory.n_exact(slot) == 110


def test_what_is_short_shared_or_inexact_is_not_kept() -> None:
    cache, memory, vault = spilling()
    cache.park(filled(cache, memory, [1] * (WORTH_KEEPING - 1))[0])
    cache.make_room(200)
    pruned, _ = filled(cache, memory, [2] * 100)
    cache.prune(pruned, 10, 20)
    cache.park(pruned)
    cache.make_room(200)
    assert vault.n_kept == 0
    filled(cache, memory, [3] * 100)  # stays busy
    cache.park(filled(cache, memory, [3] * 101)[0])
    cache.make_room(99)
    assert vault.n_kept == 0


def test_the_vault_is_asked_only_when_it_saves_enough() -> None:
    cache, memory, _ = spilling()
    cache.park(filled(cache, memory, [*[1] * 50, *[2] * 50])[0])
    cache.make_room(200)
    slot, _ = filled(cache, memory, [1] * 50)
    cache.park(slot)
    assert filled(cache, memory, [*[1] * 50, *[2] * 50])[1] == 50  # 50 more are not worth a copy


def test_a_state_for_which_there_is_no_room_leaves_everything_as_it_was() -> None:
    cache, memory, _ = spilling()
    state_of, ids = FakeMemory(200), np.full(150, 9, np.int32)
    state_of.compute(0, ids.tolist())
    busy, _ = filled(cache, memory, [1] * 100)
    idle = cache.idle()
    assert idle is not None
    assert cache.put(idle, ids, state_of.save(0)) == 0
    assert memory.ids(busy) == [1] * 100
    assert memory.n_free == cache.n_free == 100
    assert not idle.busy


# what begins with nothing


def test_an_empty_slot_is_to_be_had_of_all_empty_cells_where_nothing_is_in_use() -> None:
    cache, memory, vault = spilling()
    pinned, _ = filled(cache, memory, [1] * 40)
    cache.pin(pinned, 40)
    cache.park(pinned)
    cache.park(filled(cache, memory, [2] * 100)[0])
    slot = cache.acquire_empty()
    assert slot is not None
    assert (cache.n_held, memory.n_free, cache.pinned) == (0, 200, [])
    assert cache.n_busy == 1
    assert vault.n_kept == 1
    cache.park(slot)
    assert filled(cache, memory, [2] * 101)[1] == 100


def test_an_empty_slot_beside_one_in_use_leaves_the_others_what_they_hold() -> None:
    cache, memory = new_cache()
    busy, _ = filled(cache, memory, [1] * 20)
    parked, _ = filled(cache, memory, [2] * 20)
    cache.park(parked)
    slot = cache.acquire_empty()
    assert slot is not None
    assert not len(cache.ids(slot))
    assert list(cache.ids(busy)) == [1] * 20
    assert list(cache.ids(parked)) == [2] * 20


def test_no_empty_slot_when_all_are_busy() -> None:
    cache, memory = new_cache(2)
    filled(cache, memory, [1, 2])
    filled(cache, memory, [3, 4])
    assert cache.acquire_empty() is None
