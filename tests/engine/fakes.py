"""A KV memory that only keeps the books, and complains when they are wrong; a device by script."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as List
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_agent.engine.core.pace import Pace
from edge_agent.engine.core.scheduler import Scheduler, Share
from edge_agent.engine.core.sequence import Sequence
from edge_agent.engine.kv.cache import PrefixCache
from edge_agent.engine.kv.statefile import State
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import GenerateParams

NO_SAMPLER: Any = None
NOTHING_SEEN = 0
TOKENS_PER_S = 250.0


def sight(seen: int, token: int) -> int:
    """What a cell holds that was computed for `token` behind a cell that holds `seen`."""
    return hash((seen, token))


@dataclass(slots=True)
class Cell:
    """One of the unified cells: its users, where it stands, and what was seen when it was
    computed."""

    seqs: set[int]
    pos: int
    token: int
    seen: int


class FakeMemory:
    """llama.cpp's unified cells, with tokens in place of keys and values.

    Whatever llama.cpp would answer by ending the process, or by quietly doing something else, is an
    assertion here.
    """

    def __init__(self, n_cells: int, can_cut: bool = True, can_shift: bool = True) -> None:
        self._n_cells = n_cells
        self._cells: list[Cell] = []
        self.can_cut, self._can_shift = can_cut, can_shift

    # what tests ask

    @property
    def n_free(self) -> int:
        return self._n_cells - len(self._cells)

    def ids(self, seq: int) -> list[int]:
        """The tokens of a sequence."""
        return [cell.token for cell in self._of(seq)]

    def n_exact(self, seq: int) -> int:
        """How many of its first tokens are as a prefill would have them."""
        n, seen = 0, NOTHING_SEEN
        for cell in self._of(seq):
            seen = sight(seen, cell.token)
            if cell.seen != seen:
                break
            n += 1
        return n

    def _of(self, seq: int) -> list[Cell]:
        held = sorted((cell for cell in self._cells if seq in cell.seqs), key=lambda c: c.pos)
        assert [cell.pos for cell in held] == list(range(len(held))), "a gap, or two in one place"
        return held

    # what a decode does

    def compute(self, seq: int, ids: List[int]) -> None:
        assert len(ids) <= self.n_free, "no room"
        held = self._of(seq)
        seen = held[-1].seen if held else NOTHING_SEEN
        for pos, token in enumerate(ids, len(held)):
            seen = sight(seen, token)
            self._cells.append(Cell({seq}, pos, token, seen))

    # what the cache asks

    def share(self, source: int, target: int, length: int) -> None:
        held = self._of(source)
        assert len(held) >= length, "shares more than the source holds"
        assert not self._of(target), "shares into a sequence that holds something"
        for cell in held[:length]:
            cell.seqs.add(target)

    def truncate(self, seq: int, length: int) -> bool:
        going = self._of(seq)[length:]
        if length and going and not self.can_cut:
            return False
        self._release(seq, going)
        return True

    def clear(self) -> None:
        assert not self._cells, "forgets what a slot holds"

    def cut(self, seq: int, start: int, stop: int) -> bool:
        if not (self.can_cut and self._can_shift):
            return False
        held = self._of(seq)
        self._release(seq, held[start:stop])
        for cell in held[stop:]:
            assert cell.seqs == {seq}, "moves a cell under another sequence"
            cell.pos -= stop - start
        return True

    def _release(self, seq: int, cells: List[Cell]) -> None:
        for cell in cells:
            cell.seqs.discard(seq)
        self._cells = [cell for cell in self._cells if cell.seqs]

    def save(self, seq: int) -> State:
        rows = [(cell.token, cell.seen) for cell in self._of(seq)]
        return np.array(rows, np.int64).reshape(-1).view(np.uint8)

    def load(self, seq: int, state: State) -> bool:
        assert not self._of(seq), "loads into a sequence that holds something"
        rows = state.view(np.int64).reshape(-1, 2).tolist()
        if len(rows) > self.n_free:
            return False
        self._cells += [Cell({seq}, pos, token, seen) for pos, (token, seen) in enumerate(rows)]
        return True


class ScriptedPace(Pace):
    """A device whose steps take what the test says, whatever they really take."""

    def __init__(self, seconds_of: Callable[[int], float]) -> None:
        super().__init__()
        self._seconds_of = seconds_of

    def seconds(self, n_tokens: int) -> float:
        return self._seconds_of(n_tokens)

    def saw(self, n_tokens: int, seconds: float) -> None:
        pass


def drafts_pay() -> ScriptedPace:
    """Any number of tokens for the price of one."""
    return ScriptedPace(lambda n_tokens: 1.0)


def drafts_never_pay() -> ScriptedPace:
    """Each token costs as much as the first."""
    return ScriptedPace(float)


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Rig:
    """A scheduler over a cache whose decodes always succeed."""

    def __init__(
        self,
        n_cells: int = 1000,
        n_parallel: int = 3,
        n_batch: int = 256,
        pace: Pace | None = None,
        shared_chunk: int = 0,
        longest_step_s: float | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.memory = FakeMemory(n_cells)
        self.cache = PrefixCache(
            self.memory, n_cells, n_parallel * 2, Vault(cache_bytes, None) if cache_bytes else None
        )
        self.pace = pace or ScriptedPace(lambda n_tokens: n_tokens / TOKENS_PER_S)
        self.scheduler = Scheduler(
            self.cache,
            n_parallel,
            n_batch,
            self.pace,
            shared_chunk,
            longest_step_s,
            max_waiting=5,
        )
        self.made = 0

    def add(
        self, n: int, priority: int = 0, token: int | None = None, fresh: bool = False
    ) -> Sequence:
        """A request for `n` tokens that no other has, unless `token` is given."""
        tokens = [self.made + 1 if token is None else token] * n
        return self.add_tokens(tokens, priority, fresh)

    def add_tokens(self, tokens: List[int], priority: int = 0, fresh: bool = False) -> Sequence:
        self.made += 1
        params = GenerateParams(priority=priority, fresh=fresh)
        sequence = Sequence(self.made, list(tokens), params, NO_SAMPLER)
        self.scheduler.add(sequence)
        return sequence

    def fork(self, parent: Sequence, index: int) -> tuple[Sequence, bool]:
        """A continuation of a prompt that was just computed."""
        self.made += 1
        prompt = parent.tokens[: parent.n_prompt]
        child = Sequence(self.made, list(prompt), parent.params, NO_SAMPLER, index)
        child.submitted_at = parent.submitted_at
        forked = self.scheduler.fork(parent, child)
        if forked:
            child.tokens.append(0)  # drawn from its parent's logits
        return child, forked

    def plan(self) -> dict[Sequence, int]:
        """Tokens of each share of the next step, in order."""
        return {share.sequence: share.n_tokens for share in self.step()}

    def step(self) -> list[Share]:
        shares = self.scheduler.plan()
        for share in shares:
            s = share.sequence
            ids = s.tokens[s.computed : s.computed + share.n_tokens]
            self.cache.extend(s.slot, ids)
            self.memory.compute(s.slot, ids)
            s.computed += share.n_tokens
            if s.n_pending == 0:
                s.tokens.append(0)
        return shares

    def refuse(self) -> None:
        """A step in which llama.cpp finds no room."""
        self.scheduler.plan()
        self.scheduler.no_room()
