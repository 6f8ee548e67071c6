"""Hits of several engines or queries as one list, each page once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge_agent.tools.base import SearchHit, SearchResults
from edge_agent.tools.canonical import canonical

_RANK_OFFSET = 60  # of reciprocal rank fusion, as in the paper of Cormack and others, 2009


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page that searches found, with the number by which a model may name it."""

    number: int
    hit: SearchHit
    queries: tuple[str, ...]


def merged(lists: Sequence[Iterable[SearchHit]], limit: int) -> list[SearchHit]:
    """The lists as one: what stands high in many of them first, each page once.

    A page keeps the first spelling of its URL and the longest snippet; its source names all that
    found it.
    """
    best: dict[str, SearchHit] = {}
    scores: dict[str, float] = {}
    for hits in lists:
        for rank, (key, hit) in enumerate(_unique(hits).items()):
            best[key] = _joined(best[key], hit) if key in best else hit
            scores[key] = scores.get(key, 0.0) + 1.0 / (_RANK_OFFSET + rank)
    order = sorted(best, key=lambda key: -scores[key])  # stable: the first list's come first
    return [best[key] for key in order[:limit]]


def numbered(results: Iterable[SearchResults]) -> list[Numbered]:
    """The hits of all queries, each page once, numbered from 1 in the order they were found."""
    found: dict[str, Numbered] = {}
    for result in results:
        for key, hit in _unique(result.hits).items():
            old = found.get(key)
            if old is None:
                found[key] = Numbered(len(found) + 1, hit, (result.query,))
            else:
                found[key] = replace(old, queries=(*old.queries, result.query))
    return list(found.values())


def _unique(hits: Iterable[SearchHit]) -> dict[str, SearchHit]:
    unique: dict[str, SearchHit] = {}
    for hit in hits:
        unique.setdefault(canonical(hit.url), hit)
    return unique


def _joined(first: SearchHit, other: SearchHit) -> SearchHit:
    sources = dict.fromkeys([*first.source.split(", "), *other.source.split(", ")])
    return replace(
        first,
        title=first.title or other.title,
        snippet=max(first.snippet, other.snippet, key=len),
        source=", ".join(sources),
        published=first.published or other.published,
    )
