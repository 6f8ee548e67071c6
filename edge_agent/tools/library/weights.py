"""What counts how much when a library is searched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the rankings that are fused, and what shapes them.

    words, meaning, named, linked: what shares words with the question, what is like it, what it
    names, and what the best pages of these three name; 0 leaves one out. title: a word in the title
    counts as so many in the text. pool: documents of a ranking that are looked at. sources: best
    pages whose names are followed. offset: of the ranks, the larger the less the first places stand
    out. Tuned on train questions of HotpotQA, 2WikiMultihopQA and MuSiQue (docs/libraries.md).
    """

    words: float = 1.0
    meaning: float = 0.7
    named: float = 0.6
    linked: float = 0.9
    title: float = 4.0
    pool: int = 100
    sources: int = 3
    offset: float = 3.0


WEIGHTS = Weights()
