from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.engine.core.closing import Closing
from edge_agent.engine.core.constraint import Constraint
from edge_agent.engine.core.grammars import Compiled, Grammars
from edge_agent.engine.params import GenerateParams
from edge_agent.errors import GrammarError
from tests.patience import HANG_S

from ..native import opened_vocab

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")

HUGE = "start: WORD\nWORD: " + " | ".join(f'"w{i}"' for i in range(50_000))


@pytest.fixture(scope="module")
def grammars(smollm2_path: Path) -> Iterator[Grammars]:
    with opened_vocab(smollm2_path) as vocab:
        grammars = Grammars(vocab, (2,), lambda: Closing((), (), ()))
        yield grammars
        grammars.close()


def asked(grammar: str, n: int = 1) -> GenerateParams:
    return GenerateParams(grammar=grammar, n=n)


def taken(grammars: Grammars, n: int) -> dict[int, Compiled]:
    """What has been compiled, once there are so many."""
    found: dict[int, Compiled] = {}
    end = time.monotonic() + HANG_S
    while len(found) < n and time.monotonic() < end:
        grammars.wait(0.05)
        found.update(grammars.take())
    return found


def test_each_continuation_gets_a_constraint_of_its_own(grammars: Grammars) -> None:
    grammars.order(1, asked('start: "yes" | "no"', 3))
    constraints = taken(grammars, 1)[1]
    assert isinstance(constraints, list)
    assert len({id(constraint) for constraint in constraints}) == 3
    assert all(isinstance(constraint, Constraint) for constraint in constraints)


def test_what_does_not_parse_is_an_error_of_its_order_only(grammars: Grammars) -> None:
    grammars.order(1, asked("start: undefined_rule"))
    grammars.order(2, asked('start: "yes"'))
    found = taken(grammars, 2)
    assert isinstance(found[1], GrammarError)
    assert isinstance(found[2], list)


def test_what_was_taken_is_not_given_again(grammars: Grammars) -> None:
    grammars.order(1, asked('start: "yes"'))
    assert list(taken(grammars, 1)) == [1]
    assert list(grammars.take()) == []


def test_what_was_cancelled_is_never_given(grammars: Grammars) -> None:
    grammars.order(1, asked(HUGE))
    grammars.order(2, asked('start: "yes"'))
    grammars.cancel(1)
    grammars.cancel(99)
    assert list(taken(grammars, 1)) == [2]
    assert list(grammars.take()) == []


def test_one_that_is_cancelled_while_others_are_taken_is_not_missed(grammars: Grammars) -> None:
    for id in (1, 2, 3):
        grammars.order(id, asked('start: "yes"'))
    found: list[int] = []
    while len(found) < 3:
        grammars.wait(0.05)
        for id, _ in grammars.take():
            found.append(id)
            grammars.cancel(id)  # as who ends a request does, in the middle
    assert sorted(found) == [1, 2, 3]


def test_nothing_is_waited_for_longer_than_asked(grammars: Grammars) -> None:
    grammars.order(1, asked(HUGE, 4))
    began = time.monotonic()
    grammars.wait(0.01)
    assert time.monotonic() - began < 5.0
    grammars.cancel(1)
