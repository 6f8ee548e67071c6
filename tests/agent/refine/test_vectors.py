from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.refine.vectors import VectorMemory


class Lengths:
    """The vector of a text is its length."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[float(len(text))] for text in texts], np.float32).reshape(-1, 1)


def test_vectors_come_in_the_order_asked_whatever_is_known() -> None:
    memory = VectorMemory(Lengths())
    memory.encode(["aa", "b"])
    assert memory.encode(["ccc", "b", "ccc", "aa"])[:, 0].tolist() == [3, 1, 3, 2]


def test_what_is_known_is_not_asked_again() -> None:
    inner = Lengths()
    memory = VectorMemory(inner)
    memory.encode(["a", "b", "a"])
    memory.encode(["b", "c"])
    assert inner.asked == ["a", "b", "c"]


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    inner = Lengths()
    memory = VectorMemory(inner, size=2)
    memory.encode(["a", "b"])
    memory.encode(["a"])
    memory.encode(["c"])
    memory.encode(["a", "b"])
    assert inner.asked == ["a", "b", "c", "b"]


def test_more_than_can_be_remembered_is_answered_all_the_same() -> None:
    assert len(VectorMemory(Lengths(), size=2).encode(list("abcdef"))) == 6


def test_nothing_gives_nothing() -> None:
    assert VectorMemory(Lengths()).encode([]).shape == (0, 1)
