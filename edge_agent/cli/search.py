"""`edge-agent search`: what the agent would find."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from edge_agent.catalog.catalog import EMBEDDING_MODEL
from edge_agent.cli.engines import open_engines
from edge_agent.cli.meanings import embedder_of
from edge_agent.cli.options import AsJson, Libraries, SearchUrls
from edge_agent.cli.reach import reach_of
from edge_agent.cli.terminal import print_json, run_async, say, settings_of
from edge_agent.config import Settings
from edge_agent.errors import RequestError
from edge_agent.tools.base import SearchHit, SearchResults
from edge_agent.tools.search.account import age
from edge_agent.tools.search.merge import Numbered, numbered


def search(
    query: Annotated[list[str], typer.Argument(help="One or more queries, each an argument.")],
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Ask this engine and no other.")
    ] = None,
    library: Libraries = None,
    search_url: SearchUrls = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most results a query.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Search as the agent does, and tell who answered, who failed and why."""
    settings = settings_of()

    async def work() -> list[SearchResults]:
        queries = [" ".join(each.split()) for each in query if each.strip()]
        if not queries:
            raise RequestError("The query is empty: say what to search for.", "query")
        return await _searched(settings, queries, provider, library or [], search_url or [], limit)

    results = run_async(work)
    if as_json:
        print_json(as_object(results))
    else:
        _show(results)


async def _searched(
    settings: Settings,
    queries: list[str],
    provider: str | None,
    libraries: list[str],
    urls: list[str],
    limit: int,
) -> list[SearchResults]:
    reach = reach_of(settings, libraries, urls)
    embedder = embedder_of(settings) if reach.libraries else None
    if embedder is not None:
        for library in reach.libraries.values():
            library.embed_with(embedder, EMBEDDING_MODEL)
    async with open_engines(settings, reach, provider) as engines:
        chain = engines.chain(provider=provider)
        return await chain.search_all(queries, limit)


def as_object(results: list[SearchResults]) -> dict[str, Any]:
    """The results as one JSON object: each page once, numbered; and what came of each query."""
    return {
        "results": [_result(each) for each in numbered(results)],
        "queries": [
            {
                "query": result.query,
                "engine": result.engine or None,
                "age_seconds": round(result.age_s, 1),
                "hits": len(result.hits),
                "found_nothing": list(result.found_nothing),
                "failures": [{"engine": name, "why": why} for name, why in result.failures],
            }
            for result in results
        ],
    }


def _result(each: Numbered) -> dict[str, Any]:
    return {"number": each.number, **asdict(each.hit), "queries": list(each.queries)}


def _show(results: list[SearchResults]) -> None:
    console = Console()
    for each in numbered(results):
        _show_hit(console, each.number, each.hit)
    for result in results:
        say(_account(result))


def _show_hit(console: Console, number: int, hit: SearchHit) -> None:
    when = f"  [dim]{escape(hit.published)}[/]" if hit.published else ""
    for text in (
        f"[bold]{number}. {escape(hit.title)}[/]  [dim]{escape(hit.source)}[/]{when}",
        f"   [cyan]{escape(hit.url)}[/]",
        f"   {escape(hit.snippet)}",
    ):
        console.print(text, soft_wrap=True, highlight=False)


def _account(result: SearchResults) -> str:
    """Who answered, and what the others said."""
    asked = f", asked {age(result.age_s)} ago" if result.age_s else ""
    count = len(result.hits)
    told = [f"“{result.query}”: {count} results from {result.engine or 'nobody'}{asked}."]
    told += [f"{name} found nothing." for name in result.found_nothing]
    told += [f"{name} failed: {why}" for name, why in result.failures]
    return " ".join(told)
