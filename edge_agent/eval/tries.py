"""Several tries at one question: pass@k without bias, and the vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb

from edge_agent.agent.answer.answerer import is_missing
from edge_agent.eval.score import normalised
from edge_agent.eval.trial import Scored


def pass_at(k: int, n: int, right: int) -> float:
    """Chance that k of n tries, drawn without returning them, hold one of the `right` ones.

    1 - C(n - right, k) / C(n, k): Chen et al. 2021, "Evaluating Large Language Models Trained on
    Code", without bias where 1 - (1 - right/n)^k has one. Needs 1 <= k <= n.
    """
    return 1.0 - comb(n - right, k) / comb(n, k)


def voted(tries: Sequence[Scored]) -> Scored:
    """The try whose answer most tries gave, by normalised answer; of equals the one given first.

    Tries that found nothing or were failed from outside have no vote while others have one.
    """
    sure = [one for one in tries if _votes(one)] or list(tries)
    counts = Counter(normalised(one.answer) for one in sure)
    return max(sure, key=lambda one: counts[normalised(one.answer)])


def _votes(one: Scored) -> bool:
    return not one.failed_outside and bool(one.answer.strip()) and not is_missing(one.answer)
