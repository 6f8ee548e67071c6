"""What was asked already: the same search or page a second time is work for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.agent.refine.words import words
from edge_agent.tools.canonical import canonical

SAME_QUERY = 0.8  # Jaccard similarity of two queries' words from which on they are one query


class Guard:
    """Remembers queries, and URLs with what they were read for."""

    def __init__(self) -> None:
        self._queries: list[frozenset[str]] = []
        self._urls: dict[str, list[frozenset[str]]] = {}
        self._failed: dict[str, str] = {}

    def is_new_query(self, query: str) -> bool:
        """Whether no near-equal query was asked; a new one is remembered."""
        bag = _bag(query)
        if not bag or any(_is_same(bag, known) for known in self._queries):
            return False
        self._queries.append(bag)
        return True

    def forget_queries(self, queries: Sequence[str]) -> None:
        """These were not answered, so they may be asked again."""
        bags = [_bag(query) for query in queries]
        self._queries = [known for known in self._queries if known not in bags]

    def is_new_url(self, url: str) -> bool:
        """Whether the URL was not read in this run yet; a new one is remembered."""
        key = canonical(url)
        new = key not in self._urls
        self._urls.setdefault(key, [])
        return new

    def is_new_purpose(self, url: str, purpose: str) -> bool:
        """Whether a page was never read for this purpose or a near-equal one, which is remembered.

        No purpose at all is new for a page that was not read yet.
        """
        bag = _bag(purpose)
        asked = self._urls.setdefault(canonical(url), [])
        known = (not bag and bool(asked)) or any(_is_same(bag, each) for each in asked)
        if not known:
            asked.append(bag)
        return not known

    def was_read(self, url: str) -> bool:
        return canonical(url) in self._urls

    def note_failure(self, url: str, message: str) -> None:
        """It could not be read, and why."""
        self._failed[canonical(url)] = message

    def failure_of(self, url: str) -> str | None:
        """Why it could not be read before, if so."""
        return self._failed.get(canonical(url))


def _bag(text: str) -> frozenset[str]:
    """The words of a query, whatever their order, case, accents and signs."""
    return frozenset(words(text) or text.casefold().split())  # one of little words is still one


def _is_same(a: frozenset[str], b: frozenset[str]) -> bool:
    """Two years or two numbers make two queries, however long the rest is."""
    return _numbers(a) == _numbers(b) and _similarity(a, b) >= SAME_QUERY


def _numbers(bag: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in bag if any(letter.isdigit() for letter in word))


def _similarity(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
