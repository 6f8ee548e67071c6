from __future__ import annotations

from typing import Any

import pytest

from edge_agent.engine.cache import PrefixCache
from edge_agent.engine.params import GenerateParams
from edge_agent.engine.scheduler import SHARED_CHUNK, Scheduler, Share
from edge_agent.engine.sequence import Sequence
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
