"""Which shares of a step get guesses behind them, and how many."""

from __future__ import annotations

from collections.abc import Sequence as List
from dataclasses import replace

from edge_agent.engine.core.draft import MAX_DRAFT
from edge_agent.engine.core.pace import Pace
from edge_agent.engine.core.scheduler import Share


def with_drafts(shares: List[Share], most: int, pace: Pace) -> list[Share]:
    """The shares, with guesses where they promise more tokens per second than they cost.

    most: tokens the whole step may hold. What a guess costs depends on what else is in the step:
    beside several sequences that decode, or a prompt, it rarely pays.
    """
    n = sum(share.n_tokens for share in shares)
    left = MAX_DRAFT  # llama.cpp has reserved room for the logits of so many
    drafted = []
    for share in shares:
        draft = _draft(share, min(left, most - n), n, pace)
        drafted.append(replace(share, draft=draft) if draft else share)
        left, n = left - len(draft), n + len(draft)
    return drafted


def _draft(share: Share, most: int, beside: int, pace: Pace) -> tuple[int, ...]:
    sequence = share.sequence
    most = min(most, sequence.n_draftable)
    if sequence.drafter is None or most <= 0 or share.n_tokens != sequence.n_pending:
        return ()
    draft = sequence.drafter.draft(most, beside, pace)
    if draft and sequence.constraint is not None:
        draft = draft[: sequence.constraint.n_valid(draft)]
    return tuple(draft)
