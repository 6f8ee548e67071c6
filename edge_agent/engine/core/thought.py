"""How much of a generation was thought, and when it must end: a pure machine over token ids."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.engine.params import ThoughtLimit


class ThoughtMeter:
    """Follows a generation token by token."""

    def __init__(self, limit: ThoughtLimit) -> None:
        self._limit = limit
        self._budget = limit.budget
        self._tail: list[int] = []
        self._longest = max(len(limit.start), len(limit.end), 1)
        self.inside = limit.begun
        self.n_thought = 0
        self.n_inside = 0  # tokens since the thought began that is open

    @property
    def due(self) -> bool:
        """Whether the thought must be closed now."""
        return self.inside and self._budget is not None and self.n_thought >= self._budget

    @property
    def closing(self) -> list[int]:
        """What closes it."""
        return list(self._limit.closing)

    @property
    def end(self) -> tuple[int, ...]:
        """The mark behind a thought."""
        return self._limit.end

    def stop(self) -> bool:
        """Think no further; False when it does not think."""
        if self.inside:
            self._budget = 0
        return self.inside

    def leave(self) -> None:
        """The thought has ended without the marker's own tokens."""
        self._turn(inside=False)

    def feed(self, tokens: Sequence[int]) -> None:
        """Tokens that were written; the markers themselves are not counted."""
        for token in tokens:
            self._tail = [*self._tail, token][-self._longest :]
            if self.inside:
                self.n_inside += 1
                self.n_thought += 1
                if self._ends_with(self._limit.end):
                    self._turn(inside=False)
                    self.n_thought -= len(self._limit.end)
            elif self._ends_with(self._limit.start):
                self._turn(inside=True)

    def _turn(self, inside: bool) -> None:
        self.inside, self.n_inside = inside, 0
        self._tail.clear()  # a token belongs to one marker

    def _ends_with(self, mark: Sequence[int]) -> bool:
        return bool(mark) and self._tail[-len(mark) :] == list(mark)
