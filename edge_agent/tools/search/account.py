"""What a reader should know about a search beside its results."""

from __future__ import annotations

from edge_agent.tools.base import SearchResults

UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


def clauses(result: SearchResults) -> list[str]:
    """A short clause each: how old the results are, who found nothing, and who failed and why.

    None where the engine was asked just now and nobody else had to be.
    """
    told = []
    if result.age_s > 0:
        told.append(f"{result.engine} answered this {age(result.age_s)} ago")
    if result.found_nothing:
        told.append(f"{', '.join(result.found_nothing)} found nothing")
    return [*told, *(f"{name} failed: {why}" for name, why in result.failures)]


def age(seconds: float) -> str:
    """A time in the largest unit of which there are two."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    whole = max(1, round(seconds))
    return f"{whole} seconds" if whole > 1 else "1 second"
