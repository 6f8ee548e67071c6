"""What a sequence goes on with, once the logits of its last tokens are there."""

from __future__ import annotations

from collections.abc import Sequence as List
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_agent.engine.core.llama import Llama
from edge_agent.engine.core.sequence import Sequence
from edge_agent.engine.core.thought import ThoughtMeter
from edge_agent.engine.params import TokenLogprobs

Logits: TypeAlias = NDArray[np.float32]


class Writer:
    """Draws tokens, and feeds those that follow without a draw: forced, or closing a thought."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama

    def write(self, sequence: Sequence, first: int, draft: List[int]) -> None:
        """Extend a sequence, from its logits at batch index `first` and behind each guess.

        As long as what is drawn is what was guessed, the next logits hold too. Those guesses count
        as computed; the cells of the others are the caller's to drop.
        """
        right = 0
        while not sequence.ended:
            new = self._next(sequence, first + right)
            agreed = _agreement(new, draft[right:])
            right += agreed
            if agreed < len(new):
                break
        sequence.computed += right
        sequence.n_drafted += len(draft)
        sequence.n_accepted += right

    def _next(self, sequence: Sequence, index: int) -> list[int]:
        """The tokens that come next: fed ones, or one that is drawn and those that it forces."""
        fed = self._fed(sequence)
        drawn = not fed
        kept = self._within_limits(sequence, fed or self._draw(sequence, index))
        for id in kept[drawn:]:
            sequence.sampler.accept(id)
        sequence.n_forced += len(kept[drawn:])
        if sequence.params.n_logprobs is not None:
            sequence.logprobs += [TokenLogprobs(id, 0.0) for id in kept[drawn:]]  # certain
        sequence.write(kept)
        return kept

    def _fed(self, sequence: Sequence) -> list[int]:
        """Tokens that need no draw: they close a thought, or a grammar cannot begin otherwise."""
        thought, constraint = sequence.thought, sequence.constraint
        closing = thought is not None and thought.due
        ids = thought.closing if thought is not None and closing else []
        if thought is not None and closing and self._is_over(sequence, thought):
            thought.leave()
            closing, ids = False, []
        if constraint is not None and (closing or not sequence.n_generated):
            ids += constraint.consume(ids) if ids else constraint.forced()
            sequence.ended = "stop" if ids and constraint.finished else ""
        sequence.first_token_at = sequence.first_token_at or sequence.now()
        return ids

    def _is_over(self, sequence: Sequence, thought: ThoughtMeter) -> bool:
        """Whether the end of a thought was written already, in other tokens than the mark's."""
        mark = self._llama.text(thought.end)
        written = sequence.tokens[len(sequence.tokens) - thought.n_inside :]
        return bool(mark) and mark in self._llama.text(written)

    def _draw(self, sequence: Sequence, index: int) -> list[int]:
        token, told = self._drawn(sequence, self._llama.logits(index))
        if self._ends(sequence, token) or not _follows(sequence, token):
            sequence.ended = "stop"
            return []
        if told is not None:
            sequence.logprobs.append(told)
        constraint = sequence.constraint
        forced = constraint.accept(token) if constraint is not None else []
        if constraint is not None and constraint.finished:
            sequence.ended = "stop"
        return [token, *forced]

    def _drawn(self, sequence: Sequence, raw: Logits) -> tuple[int, TokenLogprobs | None]:
        """The token, and what was asked to be told of it."""
        allowed, n_top = _allowed(sequence, raw), sequence.params.n_logprobs
        if n_top is not None and sequence.params.drawn:
            token, ids, p = sequence.sampler.sample_told(allowed)
            told = _drawn_by(token, ids, p, n_top)
            certain = self._certain(sequence, token, allowed)
            return certain, told if certain == token else TokenLogprobs(certain, 0.0)
        token = self._certain(sequence, sequence.sampler.sample(allowed), allowed)
        return token, None if n_top is None else logprobs_of(raw, token, n_top)

    @staticmethod
    def _certain(sequence: Sequence, token: int, allowed: Logits) -> int:
        """A token that the grammar allows, also where biases had left none of them."""
        constraint = sequence.constraint
        if constraint is None or _may_end(sequence) or constraint.allows(token):
            return token
        return int(allowed.argmax())

    def _within_limits(self, sequence: Sequence, ids: list[int]) -> list[int]:
        """The ids up to one that ends the sequence, or to the end of its room."""
        for i, id in enumerate(ids):
            if self._ends(sequence, id):
                ids, sequence.ended = ids[:i], "stop"
                break
        room = min(sequence.tokens_left, self._llama.info.n_ctx - len(sequence.tokens))
        if len(ids) >= room:
            sequence.ended = sequence.ended if len(ids) == room and sequence.ended else "length"
        return ids[:room]

    def _ends(self, sequence: Sequence, token: int) -> bool:
        eog = not sequence.params.ignore_eos and self._llama.is_eog(token)
        return eog or token in sequence.params.stop_ids


def _agreement(written: List[int], draft: List[int]) -> int:
    """How many first tokens were guessed right."""
    pairs = zip(written, draft, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(written), len(draft)))


def _allowed(sequence: Sequence, raw: Logits) -> Logits:
    """The logits, -inf where a grammar bans; other continuations read the same raw ones."""
    if sequence.constraint is None or _may_end(sequence):
        return raw
    logits: Logits = raw.copy()
    sequence.constraint.apply(logits, sequence.is_late)
    return logits


def _may_end(sequence: Sequence) -> bool:
    """Whether a draw that the grammar does not allow is the end here."""
    if not sequence.params.free_end or sequence.constraint is None or sequence.is_late:
        return False
    return sequence.constraint.settled


def _follows(sequence: Sequence, token: int) -> bool:
    """Whether a token that was drawn goes on with the text."""
    constraint = sequence.constraint
    return constraint is None or not _may_end(sequence) or constraint.allows(token)


def _drawn_by(token: int, ids: NDArray[np.int64], p: Logits, n_top: int) -> TokenLogprobs:
    """Of the ids that were left to draw from, the likeliest first, those that have a chance."""
    own = float(p[ids == token][0])
    top = [(int(id), float(np.log(q))) for id, q in zip(ids[:n_top], p[:n_top], strict=True) if q]
    return TokenLogprobs(token, float(np.log(own)), tuple(top))


def logprobs_of(logits: Logits, token: int, n_top: int) -> TokenLogprobs:
    """Log-softmax of logits of shape (n_vocab,) at `token`, and of the n_top likeliest ids."""
    largest = float(logits.max())
    total = largest + float(np.log(np.exp(logits - largest, dtype=np.float32).sum()))
    top: tuple[tuple[int, float], ...] = ()
    if n_top:
        likeliest = np.argpartition(logits, -n_top)[-n_top:]
        ordered = likeliest[np.argsort(-logits[likeliest], kind="stable")]
        top = tuple((int(id), float(logits[id]) - total) for id in ordered)
    return TokenLogprobs(token, float(logits[token]) - total, top)
