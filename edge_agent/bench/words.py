"""Text of a known number of tokens."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import islice

from edge_agent.chat.vocab import Vocab

WANTED = 4000  # different words; random ones hardly ever share two in a row
PLACES = ("Aberlin", "Corvath", "Drumlow", "Esterby", "Fenwick", "Garrow", "Hollin", "Istvale")


class Words:
    """Words that are one token each behind a blank, and the texts that are made of them."""

    def __init__(self, tokens: Mapping[str, int], draw: random.Random) -> None:
        self._words = list(tokens)
        self._ids = list(tokens.values())
        self._draw = draw

    @classmethod
    def of(cls, vocab: Vocab, draw: random.Random) -> Words:
        """Those of a vocabulary."""
        pieces = ((vocab.piece(id), id) for id in range(vocab.n_tokens))
        found = ((p.decode(), i) for p, i in pieces if p[:1] == b" " and p[1:].isalpha())
        single = (pair for pair in found if vocab.encode(pair[0], special=False) == [pair[1]])
        return cls(dict(islice(single, WANTED)), draw)

    def ids(self, n_tokens: int) -> list[int]:
        """The token ids of that many words."""
        return self._draw.choices(self._ids, k=n_tokens)

    def draw(self, n_tokens: int) -> str:
        """That many words, each with its blank before it."""
        return "".join(self._draw.choices(self._words, k=max(1, n_tokens)))

    def report(self, n_lines: int) -> list[str]:
        """Sentences with numbers and names that a model cannot know, only quote."""
        return [self._line(i) for i in range(n_lines)]

    def _line(self, i: int) -> str:
        place, other = self._draw.sample(PLACES, 2)
        height, hour, depth = (self._draw.randrange(100, 1000) for _ in range(3))
        return (
            f"Station {i + 1} at {place} measured {height} millimetres of rain in {hour} hours, "
            f"while the river at {other} rose by {depth} centimetres."
        )
