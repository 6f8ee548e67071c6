"""How many threads compute, by what else runs on the cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil

LOOK_S = 0.5  # between two looks at the clocks of the cores
REST_S = 0.1  # without a step, after which the looking begins anew
LONG_REST_S = 5.0  # after which what was seen before it is forgotten
# Cores that others use from which on a thread gives way, and under which it comes back. A thread of
# llama.cpp waits for every other one some hundred times a token: with one core taken, two threads
# on two cores write half of what one alone does (benchmarks/RESULTS.md).
TAKEN, FREE = 0.35, 0.15

Busy = Callable[[], tuple[float, float]]


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def busy_s() -> tuple[float, float]:
    """Seconds that those cores have worked since the start, and those of this process."""
    cores, own = psutil.cpu_times(percpu=True), os.times()
    mine = [cores[i] for i in usable_cores() if i < len(cores)]
    working = sum(core.user + core.system + getattr(core, "nice", 0.0) for core in mine)
    return working, own.user + own.system


class Hands:
    """Looks at the cores now and then, and says how many threads the next step should use."""

    def __init__(self, n_threads: int, n_cores: int, busy: Busy = busy_s) -> None:
        self._most = n_threads
        self._n_cores = n_cores
        self._busy = busy
        self._looked_at = self._rested_at = time.monotonic()
        self._all_s, self._own_s = busy()
        self.n_threads = n_threads

    def look(self, now: float) -> bool:
        """Before a step: whether the number has changed; `now` in seconds of `time.monotonic`."""
        before, rested_s = self.n_threads, now - self._rested_at
        if self._most == 1:
            return False
        if rested_s > REST_S:
            # what ran while there was nothing to compute says nothing of what runs now
            self._others(now)
            self.n_threads = self._most if rested_s > LONG_REST_S else before
        elif now - self._looked_at >= LOOK_S:
            self.n_threads = self._fitting(self._others(now))
        return self.n_threads != before

    def rest(self, now: float) -> None:
        """After a step."""
        self._rested_at = now

    def _others(self, now: float) -> float:
        """Cores that others used since it was asked last."""
        seconds, (all_s, own_s) = now - self._looked_at, self._busy()
        others = ((all_s - self._all_s) - (own_s - self._own_s)) / max(seconds, 1e-3)
        self._looked_at, self._all_s, self._own_s = now, all_s, own_s
        return others

    def _fitting(self, others: float) -> int:
        """Threads beside so many busy cores; between the two bounds nothing changes."""
        giving, coming = (self._n_cores - _whole(others, bound) for bound in (TAKEN, FREE))
        return max(min(max(self.n_threads, coming), giving, self._most), 1)


def _whole(cores: float, bound: float) -> int:
    """Cores in use, a part of one counting from `bound` on."""
    return int(cores) + (cores - int(cores) >= bound)
