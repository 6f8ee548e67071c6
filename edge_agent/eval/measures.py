"""What an evaluation comes to: every figure of the report, from the lines of its tries."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from edge_agent.eval.trial import Scored
from edge_agent.eval.tries import pass_at, voted

Z95 = 1.96  # standard errors on either side that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Marks:
    """Exact match and F1 of `n` tries."""

    n: int
    em: float
    f1: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of one try, over all tries."""

    mean: float
    median: float
    total: float


@dataclass(frozen=True, slots=True)
class Rates:
    """None where there was nothing to count.

    loop: repeated actions of all actions. invalid_call: generations of the loop nothing could be
    made of, of all of its generations. forced_answer: tries whose answer was drawn because a budget
    ended. reprefilled_per_turn: tokens. citation_precision: quotes that stand on the stored page,
    of all quotes.
    """

    loop: float | None
    invalid_call: float | None
    forced_answer: float | None
    reprefilled_per_turn: float | None
    citation_precision: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """n: questions. k: tries at each. tries: those made so far, n * k at the end.

    em, f1: of all tries, those that the environment failed counted as wrong; averages over the k
    tries, so avg@k. f1_within: the half width of the 95 % interval of f1, over questions.
    pass_at: by k. vote: of the answers that most tries gave. without_environment: of the tries that
    were not failed from outside. reasons: tries by reason.
    """

    n: int
    k: int
    tries: int
    em: float
    f1: float
    f1_within: float
    pass_at: dict[str, float]
    vote: Marks
    environment_failures: int
    without_environment: Marks
    reasons: dict[str, int]
    by_reason: dict[str, Marks]
    by_kind: dict[str, Marks]
    seconds: Spread
    generated_tokens: Spread
    prefilled_tokens: Spread
    reprefilled_tokens: Spread
    tool_calls: Spread
    turns: Spread
    folds: Spread
    citations: int
    rates: Rates


def measure(lines: Sequence[Scored], n: int, k: int) -> Measures:
    """Figures of `lines`, tries at `n` questions."""
    marks = _marks(lines)
    questions = list(_grouped(lines, lambda line: line.id).values())
    full = [tries for tries in questions if len(tries) == k]
    inside = [line for line in lines if not line.failed_outside]
    return Measures(
        n=n,
        k=k,
        tries=len(lines),
        em=marks.em,
        f1=marks.f1,
        f1_within=_within([_mean(line.f1 for line in tries) for tries in questions]),
        pass_at={str(at): _pass_at(full, at) for at in range(1, k + 1)},
        vote=_marks([voted(tries) for tries in questions]),
        environment_failures=len(lines) - len(inside),
        without_environment=_marks(inside),
        reasons=dict(Counter(line.reason for line in lines).most_common()),
        by_reason=_each(lines, lambda line: line.reason),
        by_kind=_each([line for line in lines if line.kind], lambda line: line.kind),
        seconds=_spread(line.seconds for line in lines),
        generated_tokens=_spread(line.generated for line in lines),
        prefilled_tokens=_spread(line.prefilled for line in lines),
        reprefilled_tokens=_spread(line.reprefilled for line in lines),
        tool_calls=_spread(line.tool_calls for line in lines),
        turns=_spread(line.turns for line in lines),
        folds=_spread(line.folds for line in lines),
        citations=sum(line.citations for line in lines),
        rates=_rates(lines),
    )


def _rates(lines: Sequence[Scored]) -> Rates:
    turns = sum(line.turns for line in lines)
    return Rates(
        loop=_ratio(sum(line.repeated for line in lines), sum(line.actions for line in lines)),
        invalid_call=_ratio(
            sum(line.invalid for line in lines), turns + sum(line.retries for line in lines)
        ),
        forced_answer=_ratio(sum(line.forced for line in lines), len(lines)),
        reprefilled_per_turn=_ratio(sum(line.reprefilled for line in lines), turns),
        citation_precision=_ratio(
            sum(line.quoted for line in lines), sum(line.citations for line in lines)
        ),
    )


def _pass_at(questions: Sequence[Sequence[Scored]], at: int) -> float:
    return _mean(pass_at(at, len(t), sum(line.em == 1 for line in t)) for t in questions)


def _marks(lines: Sequence[Scored]) -> Marks:
    return Marks(len(lines), _mean(line.em for line in lines), _mean(line.f1 for line in lines))


def _each(lines: Sequence[Scored], key: Callable[[Scored], str]) -> dict[str, Marks]:
    groups = sorted(_grouped(lines, key).items(), key=lambda item: -len(item[1]))
    return {name: _marks(group) for name, group in groups}


def _grouped(lines: Iterable[Scored], key: Callable[[Scored], str]) -> dict[str, list[Scored]]:
    groups: dict[str, list[Scored]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups


def _spread(values: Iterable[float]) -> Spread:
    known = list(values)
    median = statistics.median(known) if known else 0.0
    return Spread(round(_mean(known), 4), round(median, 4), round(sum(known), 4))


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0


def _within(values: Sequence[float]) -> float:
    return Z95 * statistics.stdev(values) / sqrt(len(values)) if len(values) > 1 else 1.0


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
