"""The two tools: their schemas, their limits, and failures that are results."""

from __future__ import annotations

import pytest

from edge_agent.errors import SearchError, ToolError
from edge_agent.tools.base import FetchFailure, Page, SearchResults
from edge_agent.tools.search.chain import SearchChain
from edge_agent.tools.toolbox import make_tools, paged
from tests.tools.fakes import FakeFetcher, FakeProvider, hit

PROVIDER = [hit("https://a.example")]
PAGES = {"https://a.example": "Words.", "https://b.example": "More words."}
TOOLS = make_tools(SearchChain([FakeProvider("fake", PROVIDER)]), FakeFetcher(PAGES))


def test_the_schemas_are_what_models_were_trained_on() -> None:
    assert {name: tool.name for name, tool in TOOLS.items()} == {n: n for n in TOOLS}
    strings = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
    search, fetch = TOOLS["search"].parameters, TOOLS["fetch_url"].parameters
    assert search["type"] == fetch["type"] == "object"
    assert search["properties"] == {"query": strings} and search["required"] == ["query"]
    assert fetch["properties"] == {"url": strings, "purpose": {"type": "string"}}
    assert fetch["required"] == ["url", "purpose"]
    assert "3 queries" in TOOLS["search"].description


async def test_search_answers_every_query() -> None:
    results: list[SearchResults] = await TOOLS["search"].call({"query": ["a", "b", " a "]})
    assert [(r.query, r.engine) for r in results] == [("a", "fake"), ("b", "fake")]


async def test_a_string_is_taken_for_a_list_of_one() -> None:
    assert len(await TOOLS["search"].call({"query": "a"})) == 1
    assert len(await TOOLS["fetch_url"].call({"url": "https://a.example", "purpose": "p"})) == 1


async def test_what_is_too_much_is_told_and_not_dropped() -> None:
    results = await TOOLS["search"].call({"query": ["a", "b", "c", "d"]})
    assert [r.query for r in results] == ["a", "b", "c", "d"]
    assert results[3].engine == "" and "Only 3" in results[3].failures[0][1]
    urls = [f"https://{name}.example" for name in "abcd"]
    pages = await TOOLS["fetch_url"].call({"url": urls, "purpose": "p"})
    assert pages[3] == FetchFailure(urls[3], "refused", "Only 3 at a time: ask again for this one.")


async def test_a_url_that_fails_is_a_failure_in_its_place() -> None:
    urls = ["https://b.example", "https://gone.example", "https://a.example"]
    found = await TOOLS["fetch_url"].call({"url": urls, "purpose": "p"})
    assert [type(one) for one in found] == [Page, FetchFailure, Page]
    assert [one.url for one in found] == urls
    assert (found[1].kind, "404" in found[1].message) == ("status", True)


async def test_others_name_a_page_of_a_long_document_and_need_no_purpose() -> None:
    fetcher = FakeFetcher({"https://a.example": "One.", "https://a.example#page=3": "Three."})
    tool = paged(make_tools(SearchChain([]), fetcher)["fetch_url"])
    assert tool.name == "fetch_url" and tool.parameters["required"] == ["url"]
    (first,) = await tool.call({"url": "https://a.example"})
    (third,) = await tool.call({"url": "https://a.example#page=2", "page": 3})
    assert (first.text, third.text) == ("One.", "Three.")
    with pytest.raises(ToolError, match="page"):
        await tool.call({"url": "https://a.example", "page": 0})


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {}),
        ("search", {"query": []}),
        ("search", {"query": ["  "]}),
        ("search", {"query": {"type": "string"}}),
        ("search", {"query": ["a"], "extra": 1}),
        ("fetch_url", {"url": ["https://a.example"]}),
        ("fetch_url", {"url": [5], "purpose": "p"}),
    ],
)
async def test_wrong_arguments_are_a_sentence_that_names_the_tool(
    tool: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(ToolError, match=f"^{tool}: .*[.]$"):
        await TOOLS[tool].call(arguments)


async def test_a_search_in_which_everything_fails_is_raised() -> None:
    tools = make_tools(SearchChain([FakeProvider("down", "It is down.")]), FakeFetcher({}))
    with pytest.raises(SearchError, match=r"down: It is down\."):
        await tools["search"].call({"query": ["a", "b"]})
