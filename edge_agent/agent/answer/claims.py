"""An answer taken apart into claims, each with the quotes that carry it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.agent.records import Citation, Claim
from edge_agent.agent.refine.evidence import Fact
from edge_agent.agent.refine.passages import split
from edge_agent.agent.refine.words import words

LONG_WORDS = 12  # an answer of more is text that makes claims; a shorter one is one claim
CARRIED = 0.5  # of a claim's words that its quote must have
NEARLY = 0.8  # of the best quote's share that a second one must have
MOST_QUOTES = 2
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class _Told:
    """A quote with its words and numbers, those of its page's title too."""

    quote: Citation
    words: set[str]
    figures: set[str]


def claims(answer: str, cited: Sequence[Citation], facts: Sequence[Fact]) -> tuple[Claim, ...]:
    """The claims of an answer with their quotes.

    A short answer is one claim and has what was cited for it. Every sentence of a longer one looks
    for its own quotes, first among what was cited; one that finds none has none.
    """
    if not is_long(answer):
        return (Claim(answer, tuple(cited)),)
    quotes = dict.fromkeys([*cited, *(fact.citation for fact in facts)])
    told = [_Told(quote, *_words(f"{quote.title} {quote.quote}")) for quote in quotes]
    return tuple(Claim(text, _carriers(text, told)) for text in sentences(answer))


def bearing(cited: Sequence[Fact], text: str) -> list[Fact]:
    """The facts that have a word of a text, as small models point at their neighbours too; all of
    them where none has."""
    wanted = set(words(text))
    return [fact for fact in cited if wanted & set(words(fact.passage.text))] or list(cited)


def is_long(answer: str) -> bool:
    """Whether an answer is text, and not the short phrase that was asked for."""
    return len(answer.split()) > LONG_WORDS


def sentences(answer: str) -> list[str]:
    """The sentences and list items of an answer, as they stand in it."""
    return [passage.text for passage in split(answer)] or [answer]


def _carriers(claim: str, told: Sequence[_Told]) -> tuple[Citation, ...]:
    """The quotes with most of the claim's words among those that have enough of them."""
    wanted, figures = _words(claim)
    if not wanted or not told:
        return ()
    # a quote without a number of the claim carries nothing of it
    shares = [len(wanted & t.words) / len(wanted) if figures <= t.figures else 0.0 for t in told]
    enough = max(CARRIED, max(shares) * NEARLY)
    best = sorted(range(len(told)), key=lambda i: -shares[i])[:MOST_QUOTES]
    return tuple(told[i].quote for i in best if shares[i] >= enough)


def _words(text: str) -> tuple[set[str], set[str]]:
    """The words of a text, and its numbers as they stand."""
    return set(words(text)), set(FIGURE.findall(text))
