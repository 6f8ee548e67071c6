"""The chain that asks engines in order and says who answered, who failed and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge_agent.errors import SearchError, ToolError
from edge_agent.tools.base import SearchHit, SearchProvider, SearchResults
from edge_agent.tools.search.merge import merged
from edge_agent.tools.search.remote import Answer, Remote


@dataclass(slots=True)
class _Asking:
    """What came of one query so far."""

    found: dict[str, tuple[SearchHit, ...]] = field(default_factory=dict)
    nothing: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    age_s: float = 0.0

    def note_all(self, outcomes: Iterable[tuple[str, Answer | ToolError]]) -> bool:
        """What came of a group; whether any of it found something."""
        before = len(self.found)
        for name, outcome in outcomes:
            self._note(name, outcome)
        return len(self.found) > before

    def _note(self, name: str, outcome: Answer | ToolError) -> None:
        if isinstance(outcome, ToolError):
            self.failures.append((name, str(outcome)))
        elif not outcome.hits:
            self.nothing.append(name)
        else:
            self.found[name] = outcome.hits
            self.age_s = max(self.age_s, outcome.age_s)


@dataclass(frozen=True, slots=True)
class Together:
    """Providers that are one to the chain: all are asked, and what they found is merged."""

    members: tuple[SearchProvider, ...]


class SearchChain:
    """Providers in the order they are asked.

    answers: how many of them shall answer a query with hits, which are merged; as many are asked
    at once, and the next ones only in place of those that fail or find nothing.
    """

    def __init__(self, providers: Sequence[SearchProvider | Together], answers: int = 1) -> None:
        self._groups = [
            each.members if isinstance(each, Together) else (each,) for each in providers
        ]
        self._answers = answers

    async def search(self, query: str, limit: int = 10) -> SearchResults:
        """What one query found.

        No hits and an engine's name: it was asked and found nothing. Raises SearchError when every
        provider failed, with the sentence of each.
        """
        asking, answered, waiting = _Asking(), 0, list(self._groups)
        while waiting and answered < self._answers:
            missing = self._answers - answered
            some, waiting = waiting[:missing], waiting[missing:]
            rounds = await asyncio.gather(*(_ask_all(group, query, limit) for group in some))
            answered += sum([asking.note_all(outcomes) for outcomes in rounds])
        return _results(query, asking, limit)

    async def search_all(self, queries: Sequence[str], limit: int = 10) -> list[SearchResults]:
        """All queries at once, in their order; raises SearchError only when every one failed."""
        outcomes = await asyncio.gather(
            *(self.search(query, limit) for query in queries), return_exceptions=True
        )
        return _settled(queries, outcomes)


async def _ask_all(
    group: Sequence[SearchProvider], query: str, limit: int
) -> list[tuple[str, Answer | ToolError]]:
    outcomes = await asyncio.gather(*(_ask(one, query, limit) for one in group))
    return [(one.name, outcome) for one, outcome in zip(group, outcomes, strict=True)]


async def _ask(provider: SearchProvider, query: str, limit: int) -> Answer | ToolError:
    try:
        if isinstance(provider, Remote):
            return await provider.ask(query, limit)
        return Answer(tuple(await provider.search(query, limit)))
    except ToolError as error:
        return error


def _results(query: str, asking: _Asking, limit: int) -> SearchResults:
    engines = list(asking.found) or asking.nothing[:1]
    if not engines:
        raise SearchError(_nobody(asking.failures))
    return SearchResults(
        query,
        tuple(merged(list(asking.found.values()), limit)),
        ", ".join(engines),
        tuple(asking.failures),
        tuple(name for name in asking.nothing if name not in engines),
        asking.age_s,
    )


def _settled(
    queries: Sequence[str], outcomes: Sequence[SearchResults | BaseException]
) -> list[SearchResults]:
    results: list[SearchResults] = []
    for query, outcome in zip(queries, outcomes, strict=True):
        if isinstance(outcome, SearchResults):
            results.append(outcome)
        elif isinstance(outcome, SearchError):
            results.append(SearchResults(query, (), "", (("search", str(outcome)),)))
        else:
            raise outcome
    errors = [outcome for outcome in outcomes if isinstance(outcome, SearchError)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
    return results


def _nobody(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return "There is no search engine: name a library or a SearXNG instance."
    told = " ".join(f"{name}: {sentence}" for name, sentence in failures)
    return f"No search engine answered. {told}"
