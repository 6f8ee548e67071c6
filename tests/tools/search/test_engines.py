"""Every engine is asked in its own protocol, over real HTTP, and its answers become hits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.arxiv import ArxivSearch
from edge_agent.tools.search.endpoint import ApiClient
from edge_agent.tools.search.keyed import BraveSearch, SerperSearch, TavilySearch
from edge_agent.tools.search.searxng import SearxngSearch
from edge_agent.tools.search.wikipedia import WikipediaSearch

from . import engines
from .engines import KEY, Engine


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient(timeout_s=60) as client:
        yield client


async def test_brave_is_asked_with_its_token_and_its_marks_are_taken_out(client: ApiClient) -> None:
    with Engine(engines.brave) as engine:
        search = BraveSearch(client, KEY, f"{engine.url}/res/v1/web/search")
        hits = await search.search("marrow light", 7)
        assert len(hits) == 7
        assert hits[0] == SearchHit(
            "https://b.example/0", "Page 0 of marrow light", "Salt & light", "brave",
            "2024-03-01T00:00:00",
        )  # fmt: skip
        assert engine.asked[0].path == "/res/v1/web/search"
        assert await search.search("nothing", 7) == []


async def test_a_long_query_is_cut_to_what_brave_takes(client: ApiClient) -> None:
    with Engine(engines.brave) as engine:
        search = BraveSearch(client, KEY, engine.url)
        assert await search.search("light " * 90, 50)
        assert await search.search("y" * 900, 10)
        assert len(engine.asked[0].params["q"].split()) == 50


async def test_a_wrong_key_is_told_without_the_key(client: ApiClient) -> None:
    with Engine(engines.brave) as engine, pytest.raises(SearchError) as told:
        await BraveSearch(client, "k-wrong", engine.url).search("light", 5)
    assert "422" in str(told.value) and "invalid" in str(told.value)
    with Engine(engines.serper) as engine, pytest.raises(SearchError, match="SERPER_API_KEY"):
        await SerperSearch(client, "k-wrong", engine.url).search("light", 5)
    with Engine(engines.tavily) as engine, pytest.raises(SearchError, match="TAVILY_API_KEY"):
        await TavilySearch(client, "k-wrong", engine.url).search("light", 5)


async def test_no_sentence_holds_the_key(client: ApiClient) -> None:
    def echo(asked: engines.Asked) -> engines.Reply:
        return engines.as_json({"error": f"bad key {asked.headers['x-api-key']}"}, 400)

    with Engine(echo) as engine, pytest.raises(SearchError) as told:
        await SerperSearch(client, KEY, engine.url).search("light", 5)
    assert KEY not in str(told.value) and "bad key" in str(told.value)


async def test_serper_is_asked_in_json(client: ApiClient) -> None:
    with Engine(engines.serper) as engine:
        hits = await SerperSearch(client, KEY, engine.url).search("light", 4)
    assert len(hits) == 4
    assert hits[1] == SearchHit(
        "https://s.example/1", "light 1", "Seen from the sea", "serper", "Mar 1, 2024"
    )


async def test_tavily_is_asked_in_json(client: ApiClient) -> None:
    with Engine(engines.tavily) as engine:
        search = TavilySearch(client, KEY, engine.url)
        hits = await search.search("light " * 200, 40)
        assert len(hits) == 20 and hits[0].source == "tavily"
        assert hits[3].url == "https://t.example/3" and hits[3].snippet == "The lamp was lit"
        with pytest.raises(SearchBusy, match="used up") as told:
            await search.search("spent", 5)
        assert told.value.retry_after_s == 3600


async def test_wikipedia_hits_point_to_its_pages(client: ApiClient) -> None:
    with Engine(engines.wikipedia) as engine:
        search = WikipediaSearch(client, engine.url)
        hits = await search.search("Marrow Light", 3)
        assert [hit.url for hit in hits][:1] == [f"{engine.url}/wiki/Marrow_Light_(lighthouse)_0"]
        assert hits[0].title == "Marrow Light (lighthouse) 0"
        assert hits[0].snippet == 'The light "of" stone' and len(hits) == 3
        assert await search.search("nothing", 3) == []
        assert await search.search("lamp " * 100, 3)


async def test_wikipedia_says_no_with_status_200(client: ApiClient) -> None:
    with Engine(engines.wikipedia) as engine, pytest.raises(SearchBusy, match="rate limit"):
        await WikipediaSearch(client, engine.url).search("busy", 3)


async def test_arxiv_answers_in_atom(client: ApiClient) -> None:
    with Engine(engines.arxiv) as engine:
        search = ArxivSearch(client, f"{engine.url}/api/query")
        hits = await search.search("What do the lenses of lighthouses show?", 2)
        assert engine.asked[0].params["search_query"] == "all:lenses OR all:lighthouses OR all:show"
        assert len(hits) == 2
        assert hits[1] == SearchHit(
            "https://arxiv.org/abs/2401.00001",
            "Lenses of lighthouses & their light 1",
            "Ilse Varn, B. Ott, C. Ray and others: We measure what lenses, lighthouses, show show.",
            "arxiv",
            "2024-01-01T00:00:00Z",
        )
        assert await search.search("nothing", 2) == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [("mistake", "incorrect id"), ("bomb", "not Atom"), ("often", "too often")],
)
async def test_arxivs_refusals_are_sentences(client: ApiClient, query: str, sentence: str) -> None:
    with Engine(engines.arxiv) as engine, pytest.raises(SearchError, match=sentence):
        await ArxivSearch(client, engine.url).search(query, 2)


async def test_searxng_hits_are_read_and_name_their_engine(client: ApiClient) -> None:
    with Engine(engines.searxng) as engine:
        search = SearxngSearch(client, engine.url)
        hits = await search.search("marrow light", 10)
        assert len(hits) == 10
        assert hits[0] == SearchHit(
            "https://a.example/0", "marrow light 0", "A snippet", "searxng/wiki", None
        )
        assert await search.search("nothing", 10) == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("blocked", r"engines failed \(google: CAPTCHA, bing: timeout\)"),
        ("forbidden", "add json to search.formats"),
        ("odd", "another form"),
        ("broken", "not JSON"),
        ("often", "too often"),
    ],
)
async def test_searxngs_failures_are_sentences(
    client: ApiClient, query: str, sentence: str
) -> None:
    with Engine(engines.searxng) as engine, pytest.raises(SearchError, match=sentence):
        await SearxngSearch(client, engine.url).search(query, 10)


@pytest.mark.parametrize("suffix", ["", "/", "/search"])
async def test_an_instance_may_be_named_in_any_form(client: ApiClient, suffix: str) -> None:
    with Engine(engines.searxng) as engine:
        assert await SearxngSearch(client, engine.url + suffix).search("x", 3)
