"""Whether a candidate may go where the reference went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantize.compare.measure import Measured


@dataclass(frozen=True, slots=True)
class Gate:
    """What is tolerated. kl: mean divergence in nats. tail: its 99th percentile. agreement: the
    least share of tokens with the same first choice. perplexity: the candidate's over the
    reference's. turns_lost: turns that the reference took validly, exactly or to their end, and the
    candidate did not.
    """

    kl: float = 0.10
    tail: float = 1.00
    agreement: float = 0.85
    perplexity: float = 1.10
    turns_lost: int = 1


def failures(reference: Measured, candidate: Measured, gate: Gate) -> list[str]:
    """Why it may not, one phrase each; empty when it may."""
    found, ratio = candidate.divergence, perplexity_ratio(reference, candidate)
    said = []
    if found.kl_mean > gate.kl:
        said.append(f"mean KL {found.kl_mean:.3f} > {gate.kl:g}")
    if found.kl_tail > gate.tail:
        said.append(f"KL at 99 % {found.kl_tail:.2f} > {gate.tail:g}")
    if found.top_agreement < gate.agreement:
        said.append(f"agreement {found.top_agreement:.1%} < {gate.agreement:.0%}")
    if ratio > gate.perplexity:
        said.append(f"perplexity x{ratio:.3f} > x{gate.perplexity:g}")
    for what in ("valid", "exact", "stopped"):
        lost = turns_lost(reference, candidate, what)
        if len(lost) > gate.turns_lost:
            said.append(f"{len(lost)} turns no longer {what} ({', '.join(lost)})")
    return said


def perplexity_ratio(reference: Measured, candidate: Measured) -> float:
    return candidate.divergence.perplexity / reference.divergence.perplexity


def turns_lost(reference: Measured, candidate: Measured, what: str) -> Sequence[str]:
    """Names of turns that were `valid`, `exact` or `stopped`, and are not any more."""
    pairs = zip(reference.turns, candidate.turns, strict=True)
    return [mine.name for mine, its in pairs if getattr(mine, what) and not getattr(its, what)]
