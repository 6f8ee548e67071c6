"""Pages that a question or the best pages name: what one search for words does not find."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.names import MAX_NAME_WORDS, name_of
from edge_agent.tools.little_words import STOP

LEAD_CHARS = 3000  # of a page's text where names are looked for: its lead
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*\.?")
_plain = lru_cache(maxsize=50_000)(name_of)  # a text says most of its words in many runs


def linked(index: LibraryIndex, sources: Sequence[int]) -> list[int]:
    """The documents whose titles stand in the leads of these, which are the best first.

    In the order of how often they are named, a better source counting for more, and then of where.
    A name that stands inside a longer one that is a title too is not followed.
    """
    leads = index.beginnings(sources, LEAD_CHARS)
    said = {source: list(names_in(leads.get(source, ""))) for source in sources}
    known = index.named(sorted({name for names in said.values() for name in names}))
    scores: dict[int, float] = {}
    for rank, source in enumerate(sources):
        for target in _targets(said[source], known):
            if target != source:
                scores[target] = scores.get(target, 0.0) + 1.0 / (1 + rank)
    return sorted(scores, key=lambda target: -scores[target])  # stable: in the order they are met


def titled(index: LibraryIndex, names: Sequence[str]) -> list[int]:
    """The documents that have one of these names for a title, in the names' order."""
    return list(_targets(names, index.named(names)))


def _targets(names: Sequence[str], known: Mapping[str, Sequence[int]]) -> Iterator[int]:
    """Of those that are titles; but none that is only said as a part of a longer one."""
    titles = [name for name in dict.fromkeys(names) if name in known]
    padded = [f" {title} " for title in titles]
    for title in titles:
        if not any(f" {title} " in longer and len(longer) > len(title) + 2 for longer in padded):
            yield from known[title]


def names_in(text: str) -> Iterator[str]:
    """What may be a title in a text, as names are compared; a mere number, a year, is not."""
    for tokens in runs_in(text):
        words = [word for token in tokens for word in _plain(token).split()]
        said = not STOP.issuperset(words) and not all(word.isdigit() for word in words)
        if said and len(words) <= MAX_NAME_WORDS:
            yield " ".join(words)


def runs_in(text: str) -> Iterator[Sequence[str]]:
    """Every run of words that begins and ends with a capital or a digit."""
    for sentence in _SENTENCES.split(text):
        tokens = _WORD.findall(sentence)
        heads = [token[0].isupper() or token[0].isdigit() for token in tokens]
        for start in (i for i, head in enumerate(heads) if head):
            for end in range(start + 1, min(start + MAX_NAME_WORDS, len(tokens)) + 1):
                if heads[end - 1]:
                    yield tokens[start:end]
