from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engine.kv.cells import CellPool, Ids, Slot, common_prefix

tokens = st.lists(st.integers(0, 2), max_size=25)


def array(ids: list[int]) -> Ids:
    return np.array(ids, np.int32)


@given(tokens, tokens)
def test_common_prefix_is_the_longest(a: list[int], b: list[int]) -> None:
    n = common_prefix(array(a), array(b))
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


def test_a_cell_is_free_again_when_its_last_user_lets_go() -> None:
    pool = CellPool(10)
    cells = pool.take(6)
    pool.share(cells[:4].copy())
    pool.release(cells)
    assert pool.n_free == 6
    pool.release(cells[:4])
    assert pool.n_free == 10


def test_cells_that_are_taken_were_free_and_differ() -> None:
    pool = CellPool(10)
    first = pool.take(4)
    pool.release(first[1:2])
    second = pool.take(7)
    assert len(set(second.tolist())) == 7
    assert not set(second.tolist()) & set(first[[0, 2, 3]].tolist())
    assert pool.n_free == 0


def test_own_cells_are_those_of_one_user() -> None:
    pool = CellPool(10)
    cells = pool.take(6)
    pool.share(cells[:4].copy())
    assert pool.n_own(cells) == 2
    assert pool.n_own(cells[:4]) == 0


@given(tokens, tokens, st.integers(0, 25))
def test_a_pruned_slot_lends_its_exact_part_unless_more_is_accepted(
    held: list[int], prompt: list[int], exact: int
) -> None:
    exact = min(exact, len(held))
    slot = Slot(0, array(held), exact=exact)
    longest = common_prefix(array(held), array(prompt))
    assert slot.shares(array(prompt), accept_pruned=True) == longest
    assert slot.shares(array(prompt), accept_pruned=False) == min(longest, exact)


def test_a_slot_is_parked_only_when_it_holds_something_and_nobody_uses_it() -> None:
    full = array([1])
    assert Slot(0, full).is_parked
    assert not Slot(0).is_parked
    assert not Slot(0, full, busy=True).is_parked
    assert not Slot(0, full, pinned=True).is_parked
