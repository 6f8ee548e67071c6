"""What a step costs on this device by its number of tokens, learned while it runs."""

from __future__ import annotations

from bisect import bisect_right

# Cost of a step in single-token steps: 1.5B Q4_K_M on 2 x86 cores. It is where the learning
# begins; a device that is otherwise shows it within a few steps. From 8 tokens on other kernels
# compute, in blocks of 16 rows, so that 8 cost nearly what 16 do.
SIZES = (1, 2, 4, 7, 8, 16, 32, 64, 128, 256, 512)
COSTS = (1.0, 1.66, 2.8, 4.8, 6.9, 8.2, 13.7, 23.0, 43.0, 83.0, 165.0)
WEIGHT = 0.2  # of a new measurement
HALVES = 2.6  # a step costs no more than so many of half its size
OUTLIER = 4.0  # a step that took so many times the expected seconds met something else


class Pace:
    """Seconds of a step, by tokens; linear between the sizes that are kept."""

    def __init__(self, single_s: float = 0.05) -> None:
        self._seen: dict[int, float] = {}  # seconds by index of SIZES
        self._curve = [cost * single_s for cost in COSTS]

    def seconds(self, n_tokens: int) -> float:
        """What a step of so many tokens takes, as far as is known."""
        i = min(max(bisect_right(SIZES, n_tokens) - 1, 0), len(SIZES) - 2)
        low, high = self._curve[i], self._curve[i + 1]
        share = (n_tokens - SIZES[i]) / (SIZES[i + 1] - SIZES[i])
        return max(low + (high - low) * share, low * 0.5)

    def saw(self, n_tokens: int, seconds: float) -> None:
        """Learn from a step."""
        i = min(range(len(SIZES)), key=lambda i: abs(SIZES[i] - n_tokens))
        # a size in between says something of its neighbour: what the curve would be there
        at_size = seconds * self._curve[i] / self.seconds(n_tokens)
        known = self._seen.get(i, at_size)
        weight = WEIGHT if at_size < OUTLIER * known else WEIGHT / 10
        self._seen[i] = known + weight * (at_size - known)
        self._draw()

    def _draw(self) -> None:
        """The curve through what was seen: a size never seen has its usual ratio to the nearest."""
        for i in range(len(SIZES)):
            near = min(self._seen, key=lambda seen: abs(seen - i))
            at = self._seen[near] * COSTS[i] / COSTS[near]
            # two steps of half the size would do: what was slow once is not shunned for ever
            half = bisect_right(SIZES, (SIZES[i] + 1) // 2) - 1
            self._curve[i] = min(at, HALVES * self._curve[half]) if i else at

    def largest(self, within_s: float, beside: int, least: int, most: int) -> int:
        """The largest chunk (least times a power of two, at most `most`) that, beside so many
        other tokens, makes a step of no more than `within_s`; `least` when none does."""
        chunk = least
        while chunk * 2 <= most and self.seconds(chunk * 2 + beside) <= within_s:
            chunk *= 2
        return min(chunk, most)
