from __future__ import annotations

import random

import pytest

from edge_agent.agent.explore.repetition import MOST_BLANKS, Repetition

PROSE = (
    "The bell of the harbour was cast in 1871 and hung in the tower, where it rang for every "
    "boat that came home. When the tower fell, the smack Thrift carried the bell to the north, "
    "and nobody wrote down who had paid for it, or why it was never brought back. "
)


def fed(text: str, size: int) -> bool:
    watch = Repetition()
    for at in range(0, len(text), size):
        watch.feed(text[at : at + size])
    return watch.found


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "cycle",
    [
        "Wait, let me search again. ",
        "I will look for the builder of the Thrift, since the page on the bell does not say who "
        "built it, and then I answer. ",
        "no ",
        "我再搜索一次。",
        '{"query": "bell"}\n',
    ],
)
def test_a_cycle_at_the_end_is_noticed_however_the_text_comes(cycle: str, size: int) -> None:
    assert fed(PROSE + cycle * 70, size)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        PROSE * 3,  # longer than any cycle that is looked for
        "".join(f"| {year} | {year % 7} boats |\n" for year in range(1850, 1990)),
        "".join(f"{i}. The page of {i} is read, and it does not say who.\n" for i in range(40)),
        "Hm. " * 10,
    ],
)
def test_what_only_looks_alike_is_let_be(text: str, size: int) -> None:
    assert not fed(text, size)


def test_a_run_of_blanks_is_noticed() -> None:
    assert fed("{" + " \n" * MOST_BLANKS, 3)
    assert not fed(("word" + " " * 40) * 2, 3)


def test_random_words_never_look_like_a_cycle() -> None:
    dice = random.Random(7)
    words = [f"w{dice.randrange(40)}" for _ in range(5000)]
    assert not fed(" ".join(words), 11)


def test_the_cycle_is_noticed_soon() -> None:
    watch = Repetition()
    n_words = 0
    while not watch.feed("again and again "):
        n_words += 3
        assert n_words < 100
