"""Which tokens a piece of text is made of, with their log probabilities."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from edge_agent.chat.messages import TokenLogprob
from edge_agent.engine.params import TokenLogprobs

Piece = Callable[[int], bytes]


def spelled(given: TokenLogprobs, piece: Piece) -> TokenLogprob:
    """The same with the bytes of tokens beside their ids."""
    top = tuple(TokenLogprob(piece(token), logprob, id=token) for token, logprob in given.top)
    return TokenLogprob(piece(given.id), given.logprob, top, given.id)


class Tape:
    """The tokens of a growing text, taken off piece by piece, each token once."""

    def __init__(self) -> None:
        self._tokens: deque[tuple[int, int, TokenLogprob]] = deque()
        self._at = 0

    def add(self, token: TokenLogprob | None, n_chars: int, inside: bool = False) -> None:
        """The next token: it completed `n_chars` characters, and may end inside one more.

        None stands for a token that is not to be told of.
        """
        start = self._at
        self._at += n_chars
        if token is not None:
            self._tokens.append((start, self._at + inside, token))

    def take(self, start: int, end: int) -> tuple[TokenLogprob, ...]:
        """The tokens with a part in the characters from `start` to `end`; earlier ones are lost."""
        taken: list[TokenLogprob] = []
        while self._tokens and self._tokens[0][0] < end:
            _, token_end, token = self._tokens.popleft()
            if token_end > start:
                taken.append(token)
        return tuple(taken)
