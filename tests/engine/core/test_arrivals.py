"""The scheduler over the fake memory, whatever comes in whatever order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_agent.engine.core.sequence import Sequence
from edge_agent.errors import EngineBusy

from ..fakes import Rig

N_CELLS = 300
N_BATCH = 32
N_PARALLEL = 3


class Arrivals(RuleBasedStateMachine):
    """Requests come, fork, go on, are cancelled and finish: the books are right."""

    @initialize(cache_bytes=st.sampled_from([0, 1 << 20]))
    def begin(self, cache_bytes: int) -> None:
        self.rig = Rig(N_CELLS, N_PARALLEL, N_BATCH, cache_bytes=cache_bytes)
        self.wanted: dict[Sequence, int] = {}

    @rule(
        n_shared=st.sampled_from([0, 20, 100, 150]),
        n_own=st.integers(1, 100),
        n_wanted=st.integers(1, 25),
        priority=st.integers(0, 1),
    )
    def arrive(self, n_shared: int, n_own: int, n_wanted: int, priority: int) -> None:
        tokens = [0] * n_shared + [self.rig.made + 1] * n_own
        try:
            sequence = self.rig.add_tokens(tokens, priority)
        except EngineBusy:
            assert len(self.rig.scheduler.waiting) >= 5  # those sent back come on top
            return
        sequence.submitted_at = self.rig.made  # a clock that does not stand still
        self.wanted[sequence] = n_wanted

    @rule(n_steps=st.integers(1, 6))
    def go_on(self, n_steps: int) -> None:
        for _ in range(n_steps):
            self.step()

    def step(self) -> None:
        before = {sequence: list(sequence.tokens) for sequence in self.wanted}
        shares = self.rig.step()
        self.rig.scheduler.had_room()
        assert sum(share.n_tokens for share in shares) <= N_BATCH
        assert len({share.sequence.slot for share in shares}) == len(shares)
        assert all(share.n_tokens > 0 for share in shares)
        assert shares or not self.rig.scheduler.running or self.someone_ended()
        for sequence, tokens in before.items():
            assert sequence.tokens[: len(tokens)] == tokens
        self.collect()

    def collect(self) -> None:
        for sequence, n_wanted in list(self.wanted.items()):
            if sequence.ended or sequence.n_generated >= n_wanted:
                assert sequence in self.rig.scheduler.running
                self.drop(sequence)

    def someone_ended(self) -> bool:
        return any(sequence.ended for sequence in self.rig.scheduler.running)

    def drop(self, sequence: Sequence) -> None:
        self.rig.scheduler.remove(sequence)
        del self.wanted[sequence]

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.drop(data.draw(st.sampled_from(sorted(self.wanted, key=lambda s: s.id))))

    @precondition(lambda self: any(s.computed == s.n_prompt for s in self.rig.scheduler.running))
    @rule(data=st.data(), n_wanted=st.integers(2, 25))
    def fork(self, data: st.DataObject, n_wanted: int) -> None:
        ready = [s for s in self.rig.scheduler.running if s.computed == s.n_prompt]
        parent = data.draw(st.sampled_from(ready))
        n_running = len(self.rig.scheduler.running)
        child, forked = self.rig.fork(parent, 1)
        assert forked == (n_running < N_PARALLEL)
        self.wanted[child] = n_wanted

    @precondition(lambda self: self.rig.scheduler.running)
    @rule()
    def refuse(self) -> None:
        """llama.cpp finds no room, once: nobody is lost, and nobody ends."""
        self.rig.refuse()
        self.collect()

    @precondition(lambda self: self.rig.scheduler.running)
    @rule(data=st.data(), length=st.integers(1, 75))
    def pin(self, data: st.DataObject, length: int) -> None:
        sequence = data.draw(st.sampled_from(self.rig.scheduler.running))
        self.rig.cache.pin(sequence.slot, min(length, sequence.computed))

    @invariant()
    def nobody_is_lost(self) -> None:
        scheduler = self.rig.scheduler
        held = [*scheduler.waiting, *scheduler.running]
        assert sorted(s.id for s in held) == sorted(s.id for s in self.wanted)
        assert len(scheduler.running) <= N_PARALLEL

    @invariant()
    def what_is_computed_lies_in_the_cells(self) -> None:
        cache, memory = self.rig.cache, self.rig.memory
        for s in self.rig.scheduler.running:
            assert cache.ids(s.slot).tolist() == memory.ids(s.slot) == s.tokens[: s.computed]
            assert memory.n_exact(s.slot) == s.computed
        assert cache.n_free == memory.n_free

    @invariant()
    def a_slot_is_busy_just_when_somebody_runs_in_it(self) -> None:
        slots = [s.slot for s in self.rig.scheduler.running]
        assert len(set(slots)) == len(slots) == self.rig.cache.n_busy

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.wanted:
                break
            self.step()
        assert not self.wanted, "somebody never finished"
        assert self.rig.cache.n_busy == 0
        self.rig.cache.unpin_all()
        assert self.rig.cache.make_room(N_CELLS)
        assert self.rig.memory.n_free == N_CELLS


TestArrivals: Callable[[], object] = Arrivals.TestCase
Arrivals.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
