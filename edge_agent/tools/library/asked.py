"""A question as a search engine can use it: what it is about, and whom it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.store.library.match import MAX_TERMS, any_of, words_of
from edge_agent.store.library.names import MAX_NAME_WORDS, name_of
from edge_agent.tools.little_words import STOP

_TOKEN = re.compile(r"[^\W_]+(?:[.'’&/-][^\W_]+)*\.?|[^\w\s]")
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]{2,200})[\"“”»]")
_INSIDE = (
    "of the de del della di da du la le les el al bin ibn van von der den zu y and & in on at for"
)
_BINDS = frozenset(_INSIDE.split())  # stand inside names
MAX_PHRASES = 12
MAX_CHARS = 1000  # of a question: the rest of a longer one is not looked at


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart.

    words: those that say what it is about; all of them when it has no other. phrases: names and
    quotations of two words and more, as words. names: every run of its words that may be a title,
    the longest first, as `names.name_of` writes them.
    """

    text: str
    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]

    @property
    def match(self) -> str:
        """As an expression for the index."""
        return any_of(self.words, self.phrases)


def asked(text: str) -> Asked:
    """Take a question, or a few keywords, apart."""
    text = text[:MAX_CHARS]
    every = list(dict.fromkeys(words_of(text)))
    about = [word for word in every if word not in STOP]
    phrases = list(dict.fromkeys(_phrases(text)))[:MAX_PHRASES]
    words = tuple(about or every)[: MAX_TERMS - len(phrases)]
    return Asked(text, words, tuple(phrases), tuple(_names(text)))


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    for found in [*_QUOTED.findall(text), *map(" ".join, _capitalised(text))]:
        phrase = tuple(words_of(found))
        if len(phrase) > 1 and not all(word in STOP for word in phrase):
            yield phrase


def _capitalised(text: str) -> Iterator[list[str]]:
    """Runs of words that begin with a capital or a digit, with the little words between them."""
    run: list[str] = []
    for token in [*_TOKEN.findall(text), ""]:
        small = token.casefold()
        if (run and small in _BINDS) or (_is_name(token) and (run or small not in STOP)):
            run.append(token)
        else:
            yield from _tidied(run)
            run = []


def _tidied(run: list[str]) -> Iterator[list[str]]:
    while run and run[-1].casefold() in _BINDS:
        run = run[:-1]
    if len(run) > 1:
        yield run
    if "and" in run:  # two names as often as one
        at = run.index("and")
        yield from (part for part in (run[:at], run[at + 1 :]) if len(part) > 1)


def _is_name(token: str) -> bool:
    return bool(token) and (token[0].isupper() or token[0].isdigit())


def _names(text: str) -> Iterator[str]:
    words = name_of_text(text)
    later = [token for token in _TOKEN.findall(text)[1:] if _is_name(token)]
    capitals = {word for token in later for word in name_of_text(token)}
    for size in range(min(MAX_NAME_WORDS, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            run = words[start : start + size]
            if not all(word in STOP for word in run) and (size > 1 or run[0] in capitals):
                yield " ".join(run)


def name_of_text(text: str) -> list[str]:
    """All words of a text as names are written, however many."""
    return [word for part in text.split() for word in name_of(part).split()]
