"""What a tool returned, as text for a reader who is not our agent."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from edge_agent.tools.base import FetchFailure, Page, SearchResults
from edge_agent.tools.browse.paging import told
from edge_agent.tools.search.account import clauses
from edge_agent.tools.untrusted.fence import fenced
from edge_agent.tools.untrusted.marks import marked


def shown(result: Any) -> str:
    """Results numbered with their addresses, pages under their titles and fenced as data, a long
    one with the address of its next page; all else as it is."""
    if isinstance(result, (list, tuple)):
        return "\n\n".join(shown(each) for each in result)
    if isinstance(result, SearchResults):
        return _results(result)
    if isinstance(result, Page):
        return f"# {_line(result.title)}\n{result.url}\n\n{fenced(told(result), result.url)}"
    if isinstance(result, FetchFailure):
        return f"{result.url} could not be read: {result.message}"
    return str(result)


def _line(text: str) -> str:
    return " ".join(text.split())


def _results(result: SearchResults) -> str:
    head = f"Results for “{result.query}” from {result.engine or 'no engine'}:"
    hits = [
        f"{number}. {marked(_line(hit.title))}\n   {hit.url}\n   {marked(_line(hit.snippet))}"
        for number, hit in enumerate(result.hits, 1)
    ]
    beside = [f"({clause})" for clause in clauses(result)]
    return "\n".join([head, *(hits or ["(nothing)"]), *beside])


def as_data(result: Any) -> Any:
    """The same as JSON."""
    if isinstance(result, (list, tuple)):
        return [as_data(each) for each in result]
    if is_dataclass(result) and not isinstance(result, type):
        return asdict(result)
    return result
