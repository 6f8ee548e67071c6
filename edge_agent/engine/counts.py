"""What an engine has done and what it is doing, for those who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """What an engine has computed since it was first started. Times in seconds.

    prompt_tokens were computed, cached_tokens found in the cells. decodes: calls of llama.cpp,
    which took compute_s; busy: sequences in each of them, added up. longest: tokens of the longest
    sequence. drafts: steps with guessed tokens; drafted_tokens were guessed, accepted_tokens of
    them right. running, waiting, and the gauges are of now: cells held and there, slots parked and
    pinned, bytes kept.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    prompt_s: float = 0.0
    predicted_tokens: int = 0
    predict_s: float = 0.0
    decodes: int = 0
    compute_s: float = 0.0
    busy: int = 0
    longest: int = 0
    drafts: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    requests: int = 0
    gauges: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, later: Counts) -> Counts:
        """The totals of both, with the gauges of `later`."""
        return Counts(
            self.prompt_tokens + later.prompt_tokens,
            self.cached_tokens + later.cached_tokens,
            self.prompt_s + later.prompt_s,
            self.predicted_tokens + later.predicted_tokens,
            self.predict_s + later.predict_s,
            self.decodes + later.decodes,
            self.compute_s + later.compute_s,
            self.busy + later.busy,
            max(self.longest, later.longest),
            self.drafts + later.drafts,
            self.drafted_tokens + later.drafted_tokens,
            self.accepted_tokens + later.accepted_tokens,
            self.requests + later.requests,
            later.gauges,
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A generation under way. n_left: tokens that its own limit still allows, None is no limit."""

    id: int
    n_prompt: int
    n_computed: int
    n_generated: int
    n_left: int | None
    is_background: bool
    is_waiting: bool
