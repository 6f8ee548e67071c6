"""What was asked already: the same search or page a second time is work for nothing."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from edge_agent.agent.refine.ranker import words

SAME_QUERY = 0.8  # Jaccard similarity of two queries' words from which on they are one query


def canonical(url: str) -> str:
    """One spelling for the ways to write a URL: no fragment, no trailing slash, lower-case host."""
    parts = urlsplit(url.strip())
    return urlunsplit(
        (parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query, "")
    )


class Guard:
    """Remembers queries and URLs of a run."""

    def __init__(self) -> None:
        self._queries: list[frozenset[str]] = []
        self._urls: set[str] = set()

    def is_new_query(self, query: str) -> bool:
        """Whether no near-equal query was asked; a new one is remembered."""
        bag = frozenset(words(query) or query.split())  # a query of little words is still one
        if not bag or any(_similarity(bag, known) >= SAME_QUERY for known in self._queries):
            return False
        self._queries.append(bag)
        return True

    def is_new_url(self, url: str) -> bool:
        """Whether the URL was not read in this run yet; a new one is remembered."""
        key = canonical(url)
        new = key not in self._urls
        self._urls.add(key)
        return new

    def was_read(self, url: str) -> bool:
        return canonical(url) in self._urls


def _similarity(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
