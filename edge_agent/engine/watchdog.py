"""Is the engine still getting anywhere? Told by one process, judged by the other."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge_agent.engine.pipe import Pong

PING_S = 1.0  # between two looks at an engine that has work
STUCK_AFTER_S = 120.0  # of no step while work waits; a step takes a second or two


class Progress:
    """When the engine last finished something, or began to have work.

    One thread, which works, calls `working` and `resting`; another may ask for `pong`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def working(self) -> None:
        """Something was finished, and there is more to do."""
        self._since = self._clock()

    def resting(self) -> None:
        """There is nothing to do."""
        self._since = None

    def pong(self) -> Pong:
        since = self._since
        return Pong(0.0, False) if since is None else Pong(self._clock() - since, True)


class Watchdog:
    """Counts the seconds without an answer and without a step; says when they are too many.

    Told of time by `tick`, of answers by `heard`. A tick counts for two at most however late it
    comes: when this process was stopped or the machine slept, so was the engine.
    """

    def __init__(self, stuck_after_s: float = STUCK_AFTER_S) -> None:
        self._stuck_after_s = stuck_after_s
        self.tick_s = min(PING_S, stuck_after_s / 4)
        self.rest()

    def rest(self) -> None:
        """Nothing is asked of the engine."""
        self._silent_s = self._still_s = 0.0

    def heard(self, pong: Pong) -> None:
        """The engine process answered."""
        self._silent_s = 0.0
        self._still_s = min(self._still_s, pong.still_s) if pong.has_work else 0.0

    def tick(self, elapsed_s: float) -> str:
        """That much time has passed; returns why the engine must be ended, or nothing."""
        counted_s = min(elapsed_s, 2 * self.tick_s)
        self._silent_s += counted_s
        self._still_s += counted_s
        if self._silent_s >= self._stuck_after_s:
            return f"The engine process gave no answer for {self._stuck_after_s:g} s and was ended."
        if self._still_s >= self._stuck_after_s:
            return (
                f"The engine process finished no step for {self._stuck_after_s:g} s while work "
                "waited and was ended."
            )
        return ""
