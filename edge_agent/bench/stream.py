"""What came out of one request, and when."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.bench.lacking import Lacking


@dataclass(slots=True)
class Stream:
    """Times in seconds on the clock of `perf_counter`; one for each piece that arrived.

    prompt_tokens, cached_tokens: None where they were not told. weights: tokens of each piece.
    continuations: the indices of those that were written.
    """

    began: float = 0.0
    ended: float = 0.0
    times: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    text: str = ""
    continuations: set[int] = field(default_factory=set)
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    template_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    forced_tokens: int = 0

    def computed_of(self, n_tokens: int) -> int:
        """Prompt tokens that were computed; where it is not told, of `n_tokens` that were sent all
        but the template's, which every prompt begins with."""
        if self.prompt_tokens is None:
            return n_tokens - self.template_tokens
        return self.prompt_tokens - (self.cached_tokens or 0)

    @property
    def computed(self) -> int:
        """Prompt tokens that were computed for it; raises Lacking when that was not told."""
        if self.prompt_tokens is None or self.cached_tokens is None:
            raise Lacking("does not tell how many prompt tokens it computed")
        return self.prompt_tokens - self.cached_tokens

    @property
    def n_tokens(self) -> float:
        """Tokens written."""
        return sum(self.weights)

    @property
    def to_first(self) -> float:
        """Seconds from asking to the first token."""
        return self.times[0] - self.began

    @property
    def speed(self) -> float:
        """Tokens per second behind the first piece."""
        return sum(self.weights[1:]) / self._seconds

    @property
    def speed_of_all(self) -> float:
        """Tokens per second behind the first token: those that a grammar forces come in one piece
        with it, and are computed after it."""
        return (self.n_tokens - 1) / self._seconds

    @property
    def _seconds(self) -> float:
        """From the first piece to the last; raises Lacking where that is nothing."""
        seconds = self.times[-1] - self.times[0] if self.times else 0.0
        if not seconds:
            raise Lacking("wrote too little to have a speed")
        return seconds

    def weigh(self, n_tokens: int) -> None:
        """Spread the number of tokens over the pieces, where it is only told at the end."""
        self.weights = [n_tokens / len(self.times)] * len(self.times)

    def gaps(self, begin: float, end: float) -> list[float]:
        """Seconds between pieces, for those that came within a time."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return [later - at for at, later in pairs if later > begin and at < end]


def together(streams: Sequence[Stream]) -> float:
    """Tokens per second while all streams were being written."""
    begin = max(stream.times[0] for stream in streams)
    end = min(stream.times[-1] for stream in streams)
    return sum(_speed_within(stream, begin, end) for stream in streams)


def _speed_within(stream: Stream, begin: float, end: float) -> float:
    pairs = zip(stream.times, stream.weights, strict=True)
    inside = [(at, weight) for at, weight in pairs if begin <= at <= end]
    if len(inside) < 2:
        raise Lacking("did not write the sequences at the same time")
    seconds = inside[-1][0] - inside[0][0]
    return sum(weight for _, weight in inside[1:]) / seconds


def percentile(values: Sequence[float], percent: int) -> float:
    """By linear interpolation; the value itself where there is one."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
