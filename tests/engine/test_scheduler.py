from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.engine.cache import PrefixCache
from edge_agent.engine.params import GenerateParams
from edge_agent.engine.scheduler import SHARED_CHUNK, TOKENS_PER_S, Scheduler, Share
from edge_agent.engine.sequence import PATIENCE_S, Sequence
from edge_agent.errors import EngineBusy

from .fakes import FakeMemory

NO_SAMPLER: Any = None


class Rig:
    """A scheduler over a cache whose decodes always succeed."""

    def __init__(self, n_cells: int = 1000, n_parallel: int = 3, n_batch: int = 256) -> None:
        self.memory = FakeMemory()
        self.cache = PrefixCache(self.memory, n_cells, n_parallel * 2)
        self.scheduler = Scheduler(self.cache, n_parallel, n_batch, max_waiting=5)
        self.made = 0

    def add(self, n: int, priority: int = 0, token: int | None = None) -> Sequence:
        self.made += 1
        tokens = [self.made if token is None else token] * n
        sequence = Sequence(self.made, tokens, GenerateParams(priority=priority), NO_SAMPLER)
        self.scheduler.add(sequence)
        return sequence

    def step(self) -> list[Share]:
        shares = self.scheduler.plan()
        for share in shares:
            s = share.sequence
            self.cache.extend(s.slot, s.tokens[s.computed : s.computed + share.n_tokens])
            self.memory.grow(s.slot, share.n_tokens)
            s.computed += share.n_tokens
            if s.n_pending == 0:
                s.tokens.append(0)
        return shares


def test_decodes_come_first_and_a_long_prompt_comes_in_small_chunks_beside_them() -> None:
    rig = Rig()
    chatting = rig.add(10)
    rig.step()
    long = rig.add(500)
    shares = rig.step()
    assert [(s.sequence, s.n_tokens) for s in shares] == [(chatting, 1), (long, SHARED_CHUNK)]


def test_alone_a_prompt_takes_the_whole_batch() -> None:
    rig = Rig()
    rig.add(500)
    assert rig.step()[0].n_tokens == 256


def test_the_shorter_prompt_is_prefilled_first() -> None:
    rig = Rig()
    rig.add(200)
    short = rig.add(20)
    assert rig.step()[0].sequence is short


def test_interactive_is_admitted_before_background() -> None:
    rig = Rig(n_parallel=1)
    rig.add(5, priority=1)
    now = rig.add(5, priority=0)
    assert rig.step()[0].sequence is now


def test_a_batch_never_exceeds_its_size() -> None:
    rig = Rig(n_batch=70)
    for _ in range(3):
        rig.add(50)
    for _ in range(10):
        assert sum(share.n_tokens for share in rig.step()) <= 70


def test_when_cells_run_out_the_youngest_waits_and_nobody_is_lost() -> None:
    rig = Rig(n_cells=60)
    old, young = rig.add(20), rig.add(20)
    for _ in range(30):
        rig.step()
    assert rig.scheduler.running == [old]
    assert list(rig.scheduler.waiting) == [young]
    assert young.computed == 0
    assert young.n_generated > 0
    assert not old.ended
    rig.scheduler.remove(old)
    rig.step()
    assert rig.scheduler.running == [young]
    assert young.computed > 20


def test_alone_in_a_full_window_the_generation_ends_with_length() -> None:
    rig = Rig(n_cells=30)
    only = rig.add(20)
    for _ in range(20):
        rig.step()
    assert only.ended == "length"
    assert rig.cache.n_free == 0


def test_a_request_that_does_not_fit_beside_another_waits_for_it() -> None:
    rig = Rig(n_cells=100)
    first = rig.add(60)
    second = rig.add(60)
    rig.step()
    assert rig.scheduler.running == [first]
    rig.scheduler.remove(first)
    rig.step()
    assert rig.scheduler.running == [second]


def test_past_the_queue_limit_a_request_is_refused_with_a_time_to_come_back() -> None:
    rig = Rig()
    for _ in range(5):
        rig.add(5)
    with pytest.raises(EngineBusy) as refused:
        rig.add(5)
    assert refused.value.retry_after_s > 0


def test_background_that_has_waited_long_enough_goes_before_new_interactive_work() -> None:
    rig = Rig(n_parallel=1)
    old = rig.add(5, priority=1)
    rig.add(5)
    old.submitted_at -= PATIENCE_S + 1
    assert rig.step()[0].sequence is old


def test_a_long_prompt_is_passed_by_shorter_ones_for_so_long_only() -> None:
    rig = Rig()
    long = rig.add(500)
    rig.add(20)
    long.submitted_at -= 500 / TOKENS_PER_S + 1
    assert rig.step()[0].sequence is long


def test_an_interactive_request_takes_the_place_of_a_background_one_which_keeps_its_cells() -> None:
    rig = Rig(n_parallel=2)
    background = [rig.add(50, priority=1) for _ in range(2)]
    rig.step()
    now = rig.add(10)
    rig.step()
    assert now in rig.scheduler.running
    (parked,) = rig.scheduler.waiting
    assert parked is background[1]
    rig.scheduler.remove(now)
    rig.step()
    assert parked in rig.scheduler.running
    assert parked.n_pending == 1  # nothing was computed again


def test_interactive_requests_do_not_take_one_anothers_places() -> None:
    rig = Rig(n_parallel=1)
    first = rig.add(10)
    rig.step()
    rig.add(10)
    rig.step()
    assert rig.scheduler.running == [first]


def test_a_request_is_not_kept_waiting_for_cells_that_it_shares_with_a_busy_one() -> None:
    rig = Rig(n_cells=100)
    first = rig.add(60, token=7)
    rig.step()
    second = rig.add(70, token=7)
    rig.step()
    assert rig.scheduler.running == [first, second]


def test_cached_tokens_are_those_found_at_the_start_not_its_own_found_again() -> None:
    rig = Rig(n_parallel=1)
    background = rig.add(50, priority=1)
    rig.step()
    rig.scheduler.remove(rig.add(5))  # comes and goes
    background.started_at = background.now()
    now = rig.add(5)
    rig.step()
    rig.scheduler.remove(now)
    rig.step()
    assert background in rig.scheduler.running
    assert background.n_cached == 0


def test_sequences_that_are_computed_again_share_one_batch() -> None:
    rig = Rig(n_parallel=4, n_batch=70)
    resumed = [rig.add(60) for _ in range(4)]
    for sequence in resumed:
        sequence.tokens.append(0)  # it had generated before it was sent back
    for _ in range(20):
        assert 0 < sum(share.n_tokens for share in rig.step()) <= 70


def test_the_last_prompt_token_waits_for_the_grammar() -> None:
    rig = Rig()
    waiting, other = rig.add(10), rig.add(10)
    waiting.awaits_grammar = True
    rig.step()
    assert (waiting.n_pending, waiting.n_generated) == (1, 0)
    assert [share.sequence for share in rig.step()] == [other]
    waiting.awaits_grammar = False
    rig.step()
    assert waiting.n_generated == 1


class Arrivals(RuleBasedStateMachine):
    """Requests come, go on, are cancelled and finish; whatever happens, the books are right."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(n_cells=80, n_parallel=3, n_batch=16)
        self.wanted: dict[int, tuple[Sequence, int]] = {}

    @rule(
        n_shared=st.integers(0, 40),
        n_own=st.integers(1, 30),
        n_wanted=st.integers(1, 25),
        priority=st.integers(0, 1),
    )
    def arrive(self, n_shared: int, n_own: int, n_wanted: int, priority: int) -> None:
        self.rig.made += 1
        tokens = [0] * n_shared + [self.rig.made] * n_own
        params = GenerateParams(priority=priority)
        sequence = Sequence(self.rig.made, tokens, params, NO_SAMPLER)
        sequence.submitted_at = self.rig.made  # a clock that does not stand still
        try:
            self.rig.scheduler.add(sequence)
        except EngineBusy:
            assert len(self.rig.scheduler.waiting) >= 5  # those sent back come on top
            return
        self.wanted[sequence.id] = (sequence, n_wanted)

    @rule(n_steps=st.integers(1, 6))
    def go_on(self, n_steps: int) -> None:
        for _ in range(n_steps):
            self.step()

    def step(self) -> None:
        shares = self.rig.step()
        assert sum(share.n_tokens for share in shares) <= 16
        assert len({share.sequence.slot for share in shares}) == len(shares)
        assert shares or not self.rig.scheduler.running or self.someone_ended()
        for sequence, n_wanted in list(self.wanted.values()):
            if sequence.ended or sequence.n_generated >= n_wanted:
                assert sequence in self.rig.scheduler.running
                self.drop(sequence)

    def someone_ended(self) -> bool:
        return any(sequence.ended for sequence in self.rig.scheduler.running)

    def drop(self, sequence: Sequence) -> None:
        self.rig.scheduler.remove(sequence)
        del self.wanted[sequence.id]

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.wanted)))
        self.drop(self.wanted[id][0])

    @invariant()
    def nobody_is_lost(self) -> None:
        scheduler = self.rig.scheduler
        held = [*scheduler.waiting, *scheduler.running]
        assert sorted(s.id for s in held) == sorted(self.wanted)
        assert len(scheduler.running) <= 3

    @invariant()
    def what_is_computed_lies_in_the_cells(self) -> None:
        for s in self.rig.scheduler.running:
            assert list(self.rig.cache.ids(s.slot)) == s.tokens[: s.computed]
            assert self.rig.memory.lengths[s.slot] == s.computed

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.wanted:
                break
            self.step()
        assert not self.wanted, "somebody never finished"
        assert self.rig.cache.n_busy == 0
        assert self.rig.cache.make_room(80)


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
