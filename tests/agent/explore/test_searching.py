"""What the model is told of a search beside its results."""

from __future__ import annotations

import pytest

from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.turn import Call
from edge_agent.tools.base import Page, SearchHit, SearchResults, Tool

HIT = SearchHit("http://h/bell", "Bell", "It was carried.", "w")
DOWN = (("brave", "it is down."),)
SHOWN = "Results for “bell”:\n1. Bell (http://h/bell): It was carried."


async def told(result: SearchResults, hits: int = 5) -> str:
    """The text of a search that comes to this."""

    async def search(query: list[str]) -> list[SearchResults]:
        """Finds one page."""
        return [result]

    async def fetch_url(url: list[str], purpose: str) -> list[Page]:
        """Reads it."""
        return [Page(each, "Bell", "It was carried.", "", "w", "") for each in url]

    tools = {tool.name: tool for tool in (Tool.of(search), Tool.of(fetch_url))}
    call = Call("search", {"query": ["bell"]})
    return (await Actions(tools, hits, reads=0 if hits else 2).run(call)).text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (SearchResults("bell", (HIT,), "w"), SHOWN),
        (SearchResults("bell", (HIT,), "w", DOWN), f"{SHOWN}\n(brave failed: it is down.)"),
        (
            SearchResults("bell", (HIT,), "w", found_nothing=("arxiv", "wikipedia")),
            f"{SHOWN}\n(arxiv, wikipedia found nothing)",
        ),
        (
            SearchResults("bell", (HIT,), "w", DOWN, age_s=7_200),
            f"{SHOWN}\n(w answered this 2 hours ago)\n(brave failed: it is down.)",
        ),
        (SearchResults("bell", (), "w"), "“bell” found nothing: use other words."),
        (
            SearchResults("bell", (), "w", DOWN, ("arxiv",)),
            "“bell” found nothing: use other words.\n(arxiv found nothing)\n"
            "(brave failed: it is down.)",
        ),
        (
            SearchResults("bell", (), "", DOWN),
            "“bell” was not searched.\n(brave failed: it is down.)",
        ),
    ],
    ids=["usual", "failed", "others", "old", "nothing", "nothing-why", "nobody"],
)
async def test_what_must_be_known_of_a_search_is_a_short_clause(
    result: SearchResults, text: str
) -> None:
    assert await told(result) == text


async def test_a_search_whose_results_are_read_at_once_says_only_what_is_unusual() -> None:
    assert await told(SearchResults("bell", (HIT,), "w"), hits=0) == ""
    old = SearchResults("bell", (HIT,), "w", DOWN, ("arxiv",), 120)
    assert await told(old, hits=0) == (
        "(w answered this 2 minutes ago)\n(arxiv found nothing)\n(brave failed: it is down.)"
    )
