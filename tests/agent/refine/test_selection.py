from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.selection import antecedent, select


def passages(*texts: str, block: int = 0) -> list[Passage]:
    return [Passage(i, text, "", block) for i, text in enumerate(texts)]


def cost_of(found: list[Passage]) -> list[float]:
    return [float(len(passage.text.split())) for passage in found]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.floats(-9, 9)), max_size=60),
    st.floats(0, 200),
)
def test_the_budget_is_kept_and_nothing_comes_twice(
    wanted: list[tuple[int, float]], budget: float
) -> None:
    found = passages(*(f"It {'w ' * n}{i}" for i, (n, _) in enumerate(wanted)))
    costs = cost_of(found)
    scores = np.array([score for _, score in wanted], np.float64)
    kept = select(found, [0] * len(found), scores, costs.__getitem__, budget)
    assert len(kept) == len(set(kept))
    assert sum(costs[i] for i in kept) <= budget


def test_the_best_come_first_and_a_long_one_leaves_room_for_a_short_one() -> None:
    found = passages("one " * 5, "two " * 50, "three " * 4)
    kept = select(found, [0] * 3, np.array([3.0, 2.0, 1.0]), cost_of(found).__getitem__, 10)
    assert kept == [0, 2]


def test_what_refers_back_brings_what_it_refers_to_when_that_is_cheap() -> None:
    found = passages("Ane Pollock was a smith.", "She built the Thrift.", "Others watched.")
    scores = np.array([0.0, 5.0, 1.0])
    rich = select(found, [0] * 3, scores, cost_of(found).__getitem__, 60)
    assert rich[:2] == [1, 0]
    poor = select(found, [0] * 3, scores, cost_of(found).__getitem__, 6)
    assert poor == [1, 2]


def test_an_antecedent_stands_before_in_the_same_paragraph_and_refers_to_nothing_itself() -> None:
    found = passages("Ane came.", "She sang.", "It was late.")
    assert antecedent(found, [0, 0, 0], 2) == 0
    assert antecedent(found, [0, 1, 1], 2) is None
    assert antecedent([found[0], Passage(1, "She sang.", "", 1)], [0, 0], 1) is None
    assert antecedent(found, [0, 0, 0], 0) is None


def test_what_was_said_on_another_page_is_not_said_again() -> None:
    said = "The smack Thrift was built in 1871 by Ane Pollock at Orvel."
    found = [Passage(0, said, ""), Passage(0, said.replace("built", "Built"), "")]
    other = Passage(0, said.replace("1871", "1902"), "")
    scores = np.array([2.0, 1.0, 0.5])
    kept = select([*found, other], [0, 1, 2], scores, lambda i: 10.0, 100)
    assert kept == [0, 2]


def test_another_number_is_another_fact() -> None:
    long = "The keeper wrote that all boats but the Heron, the Thrift, the Lark, the Swan, the Gull"
    found = passages(
        f"{long} and the Tern came home on day 14.", f"{long} and the Tern came home on day 15."
    )
    assert len(select(found, [0, 1], np.array([2.0, 1.0]), lambda i: 1.0, 9)) == 2


def test_costs_are_asked_of_few_passages_of_a_book() -> None:
    asked: list[int] = []

    def cost(i: int) -> float:
        asked.append(i)
        return 10.0

    found = passages(*(f"Number {i}." for i in range(5000)))
    select(found, [0] * 5000, np.arange(5000.0), cost, 100)
    assert len(asked) < 100
