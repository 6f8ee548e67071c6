"""Which of several answers is believed: votes weighted by how well each answer was verified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.agent.answer.verdict import MOST_WEIGHT
from edge_agent.agent.answer.wording import is_missing, normalise


@dataclass(frozen=True, slots=True)
class Ballot:
    """One answer. weight: 0 to MOST_WEIGHT, whole, so that sums do not depend on their order.

    index: of who gives it; no two ballots of a vote have the same.
    """

    index: int
    answer: str
    weight: int
    steps: int

    @property
    def key(self) -> str:
        """The same for answers that say the same; "" for one that says there is none."""
        return "" if is_missing(self.answer) else normalise(self.answer)


@dataclass(frozen=True, slots=True)
class Group:
    """All ballots of one answer."""

    ballots: tuple[Ballot, ...]

    @property
    def weight(self) -> int:
        return sum(ballot.weight for ballot in self.ballots)

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Smaller is better: an answer before none, more weight, fewer steps, the earlier index."""
        best = self.best
        fewest = min(ballot.steps for ballot in self.ballots)
        return (not best.key, -self.weight, fewest, min(b.index for b in self.ballots))

    @property
    def best(self) -> Ballot:
        """The ballot that speaks for the group: best verified, then with fewer steps."""
        return min(self.ballots, key=lambda ballot: (-ballot.weight, ballot.steps, ballot.index))


def winner(ballots: Iterable[Ballot]) -> Ballot | None:
    """Who speaks for the answer with most weight; None without ballots.

    "Not found" wins only where nobody has an answer. The order of the ballots does not count.
    """
    groups = _groups(ballots)
    return groups[0].best if groups else None


def is_decided(ballots: Sequence[Ballot], outstanding: int) -> bool:
    """Whether no ballots that are still to come, `outstanding` many, can change the answer."""
    groups = _groups(ballots)
    if not groups or not groups[0].best.key:
        return not outstanding
    second = groups[1].weight if len(groups) > 1 and groups[1].best.key else 0
    # a tie could be turned by fewer steps
    return not outstanding or groups[0].weight > second + outstanding * MOST_WEIGHT


def _groups(ballots: Iterable[Ballot]) -> list[Group]:
    """The ballots by answer, the winning answer first."""
    by_key: dict[str, list[Ballot]] = {}
    for ballot in ballots:
        by_key.setdefault(ballot.key, []).append(ballot)
    return sorted((Group(tuple(group)) for group in by_key.values()), key=lambda each: each.rank)
