"""Names in a text: runs of words that begin with a capital letter."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.agent.refine.words import STOP_WORDS, plain

LEAST_CHARS = 4
MOST_WORDS = 8
# little words within a name: the Bank of England, Ludwig van Beethoven
WITHIN_TEXT = "of the de du des di da del della von van der den la le &"
# words that begin sentences with a capital, and are no part of the name behind them
OPENERS_TEXT = """
he she they we i you his her my our after before during while since until although though however
but also some many most other another one two three later both each no not if then so such all born
despite because under over between among through about according
"""
NO_NAMES_TEXT = """
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
WITHIN = frozenset(WITHIN_TEXT.split())
OPENERS = STOP_WORDS | frozenset(OPENERS_TEXT.split())
NO_NAMES = frozenset(NO_NAMES_TEXT.split())
BEFORE, AFTER = "(\"'“‘[", ")\"'”’].,;:!?"
ENDS = frozenset(",;:!?)")


def names(text: str) -> Iterator[str]:
    """Every name, in order, with repetitions; initials and little words belong to it."""
    run: list[str] = []
    for raw in text.split():
        if raw[0] in BEFORE:
            yield from _name(run)
            run = []
        word = raw.strip(BEFORE).rstrip(AFTER)
        if word[:1].isupper() or (run and (word in WITHIN or word[:1].isdigit())):
            run.append(word)
        else:
            yield from _name(run)
            run = []
        if raw[-1] in ENDS or (raw[-1] == "." and len(word) > 2):  # not an initial, not "Jr."
            yield from _name(run)
            run = []
    yield from _name(run)


def _name(run: list[str]) -> Iterator[str]:
    while run and plain(run[0]) in OPENERS:
        run = run[1:]
    while run and not run[-1][:1].isupper() and not run[-1][:1].isdigit():
        run = run[:-1]
    name = " ".join(run[:MOST_WORDS]).removesuffix("'s").removesuffix("’s")
    if len(name) >= LEAST_CHARS and name[0].isupper() and plain(run[0]) not in NO_NAMES:
        yield name
