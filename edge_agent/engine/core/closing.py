"""Bringing a grammar to its end before the limit of tokens does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.bool_]
_BLANKS = b" \n"


class Closing:
    """Of what a grammar allows next, leaves those tokens that close what is open.

    It knows JSON, as calls and answers with a schema are: inside a text a quote closes; outside,
    brackets and the marks behind a call or a thought, then a text that may be empty, then a comma.
    Where none of them is allowed, as inside a name, everything stays.

    pieces: the text of every token, by its id. eog: the ids that may end a generation. marks: ids
    of the special tokens among which are those that end a thought or a call, such as `</think>`.
    """

    def __init__(self, pieces: Sequence[bytes], eog: Iterable[int], marks: Iterable[int]) -> None:
        end, ending = np.zeros((2, len(pieces)), np.bool_)
        end[[*eog]] = True
        ending[[id for id in marks if pieces[id].startswith(b"</")]] = True
        brackets = _those(pieces, lambda p: p[:1] in (b"}", b"]") and not p.strip(b"}]" + _BLANKS))
        quotes = _those(pieces, lambda p: p[:1] == b'"' and not p.strip(b'"}]' + _BLANKS))
        commas = _those(pieces, lambda p: p.strip(_BLANKS) == b",")
        self._letter = _those(pieces, lambda p: p == b"z")
        self._inside = (end, quotes, ending)
        self._outside = (end, brackets | ending, quotes, commas)

    def prefer(self, logits: NDArray[np.float32]) -> None:
        """Write -inf over the other tokens; `logits` of shape (n_vocab,) hold -inf where banned."""
        allowed = np.isfinite(logits)
        is_text = bool((allowed & self._letter).any())
        for tokens in self._inside if is_text else self._outside:
            if (allowed & tokens).any():
                np.copyto(logits, -np.inf, where=~tokens)
                return


def _those(pieces: Sequence[bytes], wanted: Callable[[bytes], bool]) -> Tokens:
    return np.fromiter(map(wanted, pieces), np.bool_, len(pieces))
