"""What a suite is: a way to measure its figures once, and what they should reach."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Result, Target
from edge_agent.bench.rig import Rig
from edge_agent.bench.stream import percentile
from edge_agent.bench.subject import Contender, Kind

# a case that could not be measured says why
Samples: TypeAlias = Mapping[str, "Sequence[float] | Lacking"]
Fold = Literal["median", "p99", "max"]
ALL: frozenset[Kind] = frozenset({"engine", "server", "peer"})
# what no server has a word for is asked of the engine, and of the peers, who lack it
INSIDE: frozenset[Kind] = frozenset({"engine", "peer"})
THROUGH_HTTP: frozenset[Kind] = frozenset({"server", "peer"})
FOLDS: Mapping[Fold, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "p99": lambda values: percentile(values, 99),
    "max": max,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """What becomes of the samples of all rounds. http: the target where HTTP is between."""

    target: Target
    fold: Fold = "median"
    http: Target | None = None

    def target_of(self, kind: Kind) -> Target:
        """Peers are held to what the own server is."""
        return self.target if kind == "engine" or self.http is None else self.http


@dataclass(frozen=True, slots=True)
class Suite:
    """`measure` gives samples by case. A case is named after its figure, behind what it was
    measured at: "1 sequence, over bare".
    """

    measure: Callable[[Rig], Awaitable[Samples]]
    figures: Mapping[str, Figure]
    kinds: frozenset[Kind] = ALL

    def results(self, name: str, contender: Contender, rounds: Sequence[Samples]) -> list[Result]:
        """The figures of all rounds."""
        cases = list(dict.fromkeys(case for samples in rounds for case in samples))
        return [
            self._result(name, contender, case, [r[case] for r in rounds if case in r])
            for case in cases
        ]

    def _result(
        self,
        name: str,
        contender: Contender,
        case: str,
        taken: Sequence[Sequence[float] | Lacking],
    ) -> Result:
        figure = self.figures[case.rpartition(", ")[2]]
        target = figure.target_of(contender.kind)
        for why in taken:
            if isinstance(why, Lacking):
                return Result(name, named(case, contender), None, target, str(why))
        values = [v for sample in taken if not isinstance(sample, Lacking) for v in sample]
        return Result(name, named(case, contender), FOLDS[figure.fold](values), target)

    def lacking(self, name: str, contender: Contender, why: str) -> list[Result]:
        """What is asked of it and was not had: the figures with targets, else the first."""
        asked = {c: f for c, f in self.figures.items() if f.target.value is not None}
        wanted = asked or dict(list(self.figures.items())[:1])
        return [
            Result(name, named(case, contender), None, figure.target_of(contender.kind), why)
            for case, figure in wanted.items()
        ]


def named(case: str, contender: Contender) -> str:
    """The engine's cases bear no name, those of others theirs."""
    return case if contender.kind == "engine" else f"{case}, {contender.name}"
