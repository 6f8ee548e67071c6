"""A KV memory that only keeps the books, and complains when they are wrong."""

from __future__ import annotations


class FakeMemory:
    """What llama.cpp's sequences would hold: a number of positions per sequence."""

    def __init__(self, can_cut: bool = True) -> None:
        self.lengths: dict[int, int] = {}
        self.can_cut = can_cut

    def share(self, source: int, target: int, length: int) -> None:
        assert self.lengths.get(source, 0) >= length, "shares more than the source holds"
        assert self.lengths.get(target, 0) == 0, "shares into a sequence that holds something"
        self.lengths[target] = length

    def truncate(self, seq: int, length: int) -> bool:
        if length and length < self.lengths.get(seq, 0) and not self.can_cut:
            return False
        self.lengths[seq] = min(self.lengths.get(seq, 0), length)
        return True

    def grow(self, seq: int, n: int) -> None:
        self.lengths[seq] = self.lengths.get(seq, 0) + n
