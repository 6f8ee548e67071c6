"""The counts of an engine over all its lives."""

from __future__ import annotations

from edge_agent.engine.counts import Counts


class Account:
    """What the lives that ended have counted, and the latest word of the one that runs.

    What a life counted after it was last asked is lost when it crashes.
    """

    def __init__(self) -> None:
        self._before = Counts()
        self._life = Counts()

    def saw(self, counts: Counts) -> None:
        """The life that runs has come to this."""
        self._life = counts

    def life_over(self) -> None:
        """The next counts are those of another process, which begins at nothing."""
        self._before = self.total
        self._life = Counts(gauges=self._before.gauges)

    @property
    def total(self) -> Counts:
        return self._before + self._life
