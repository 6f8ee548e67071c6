"""What tools give back, the seams they stand on, and how a function becomes a tool."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from edge_agent.errors import ToolError


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One result. `source` names the engine or library that returned it."""

    url: str
    title: str
    snippet: str
    source: str
    published: str | None = None


@dataclass(frozen=True, slots=True)
class SearchResults:
    """What one query found, who answered, and what the others said.

    engine: the provider that answered, or "" when none did.
    failures: (provider, sentence) of every provider that was asked and failed.
    found_nothing: providers beside `engine` that were asked and found nothing.
    age_s: how many seconds ago the engine was asked; 0 when it was now.
    """

    query: str
    hits: tuple[SearchHit, ...]
    engine: str
    failures: tuple[tuple[str, str], ...] = ()
    found_nothing: tuple[str, ...] = ()
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page leads, and the words that lead there."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A document as text: headings as `# `, tables as `| a | b |` rows, list items as `- `.

    url is where it was found at last, after redirects. source is "web" or a library's name.
    fetched_at is ISO 8601 UTC. links: where it leads; more: of one page of a long document the
    address of the next, or "". Neither is kept with a stored page.
    """

    url: str
    title: str
    text: str
    media_type: str
    source: str
    fetched_at: str
    links: tuple[Link, ...] = field(default=(), compare=False)
    more: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """A URL that could not be read, and the sentence saying why."""

    url: str
    kind: str
    message: str


class SearchProvider(Protocol):
    """One search engine: `search` raises SearchError, and returns [] only for "nothing found"."""

    @property
    def name(self) -> str: ...

    async def search(self, query: str, limit: int) -> list[SearchHit]: ...


class Fetcher(Protocol):
    """Reads one URL into a page; raises FetchError."""

    async def fetch(self, url: str) -> Page: ...


class Holder(Fetcher, Protocol):
    """A Fetcher of some pages. holds: whether a URL is one of them."""

    async def holds(self, url: str) -> bool: ...


def _adapter(function: Callable[..., Awaitable[Any]]) -> TypeAdapter[Any]:
    typed: Any = function  # a function is a form of type for pydantic, not for the type checker
    return TypeAdapter(typed)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the agent can call, with its schema derived from its signature."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., Awaitable[Any]]

    @classmethod
    def of(cls, function: Callable[..., Awaitable[Any]], name: str | None = None) -> Tool:
        """Name, description (the docstring) and JSON Schema of an async function."""
        schema = _adapter(function).json_schema()
        for prop in schema.get("properties", {}).values():
            prop.pop("title", None)
        return cls(
            name or function.__name__,
            inspect.cleandoc(function.__doc__ or ""),
            {"type": "object", **schema},
            function,
        )

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the function with validated arguments; a wrong type is a ToolError to read."""
        try:
            awaitable = _adapter(self.function).validate_python(ArgsKwargs((), dict(arguments)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "arguments"
            raise ToolError(f"{self.name}: {where}: {first['msg']}.") from None
        return await awaitable

    def for_holder(self, holder: str) -> Tool | None:
        """The tool for runs of one holder (see `Task`); None where those cannot call it now."""
        return self
