"""A mirror of llama.cpp's KV cells: how many slots use each, and what a slot holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
GLANCE = 64  # tokens that are compared first
NO_IDS: Ids = np.zeros(0, np.int32)


class CellPool:
    """Counts the users of each unified cell."""

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

    def n_own(self, cells: Ids) -> int:
        """How many of these cells nobody else uses."""
        return int(np.count_nonzero(self._users[cells] == 1))


@dataclass(slots=True, eq=False)
class Slot:
    """What one llama.cpp sequence holds: token ids, and the mirror's cell of each.

    The first `exact` tokens are as a prefill would have them; what stood behind a pruned span was
    computed while the span could be seen, and so was all that came after it.
    """

    index: int
    ids: Ids = field(default_factory=NO_IDS.copy)
    cells: Ids = field(default_factory=NO_IDS.copy)
    exact: int = 0
    busy: bool = False
    pinned: bool = False
    used_at: float = 0.0

    @property
    def is_parked(self) -> bool:
        """Whether it holds something that nobody is using."""
        return not self.busy and not self.pinned and len(self.ids) > 0

    @property
    def is_idle(self) -> bool:
        """Whether a sequence may take it, with what it holds or without."""
        return not self.busy and not self.pinned

    def shares(self, prompt: Ids, accept_pruned: bool) -> int:
        """How many first tokens of `prompt` it can lend."""
        n = common_prefix(self.ids, prompt)
        return n if accept_pruned else min(n, self.exact)


def common_prefix(a: Ids, b: Ids) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    if not np.array_equal(a[: min(n, GLANCE)], b[: min(n, GLANCE)]):
        n = min(n, GLANCE)  # most pairs differ early
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n
