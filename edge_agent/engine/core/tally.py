"""What the engine has computed, counted as it goes."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as List

from edge_agent.engine.core.scheduler import Share
from edge_agent.engine.core.sequence import Sequence
from edge_agent.engine.counts import Counts, Running


class Tally:
    """Counts of what has ended; what is under way is added when somebody asks."""

    def __init__(self) -> None:
        self._ended = Counts()

    def decoded(self, shares: List[Share], seconds: float) -> None:
        """One call of llama.cpp computed these shares."""
        self._ended += Counts(
            decodes=1,
            compute_s=seconds,
            busy=len(shares),
            drafts=sum(bool(share.draft) for share in shares),
        )

    def ended(self, sequence: Sequence) -> None:
        """The sequence is over, however it ended."""
        self._ended += counts_of(sequence)

    def counts(self, sequences: Iterable[Sequence]) -> Counts:
        """The totals, with what these live sequences have come to."""
        return sum(map(counts_of, sequences), self._ended)


def counts_of(sequence: Sequence) -> Counts:
    """What one sequence has cost. The prompt of several continuations counts once."""
    used = sequence.usage()
    started = sequence.started_at > 0
    prompt = min(max(sequence.computed, sequence.n_cached), sequence.n_prompt)
    first = started and sequence.index == 0
    return Counts(
        prompt_tokens=prompt - sequence.n_cached if first else 0,
        cached_tokens=sequence.n_cached if first else 0,
        prompt_s=used.prompt_s if first else 0.0,
        predicted_tokens=used.completion_tokens,
        predict_s=used.predict_s,
        longest=len(sequence.tokens) if started else 0,
        drafted_tokens=used.drafted_tokens,
        accepted_tokens=used.accepted_tokens,
        requests=int(first),
    )


def running_of(sequence: Sequence) -> Running:
    """What those who watch are told of a sequence."""
    limit = sequence.params.max_tokens
    return Running(
        id=sequence.id,
        n_prompt=sequence.n_prompt,
        n_computed=min(sequence.computed, sequence.n_prompt),
        n_generated=sequence.n_generated,
        n_left=None if limit is None else sequence.tokens_left,
        is_background=sequence.params.priority > 0,
        is_waiting=sequence.slot < 0,
    )
