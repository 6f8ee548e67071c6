"""What goes wrong on the way to an engine is a sentence, and of the right kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.tools.search.endpoint import ApiClient, Endpoint, wait_s
from edge_agent.tools.search.rows import line, shortened
from edge_agent.tools.web.egress import HostList

from .engines import KEY, Asked, Engine, Reply, failing


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient(timeout_s=60, max_bytes=1000) as client:
        yield client


async def failure(client: ApiClient, url: str) -> SearchError:
    with pytest.raises(SearchError) as told:
        await Endpoint(client, "Quay Search", url, KEY, "QUAY_KEY").get({"q": "x"})
    return told.value


@pytest.mark.parametrize(
    ("status", "transient", "sentence"),
    [
        (401, False, "check the key in QUAY_KEY"),
        (403, False, "check the key in QUAY_KEY"),
        (302, False, "redirects are not followed"),
        (400, False, r"answered 400 \(It hurts\.\)"),
        (500, True, "answered 500"),
        (503, True, "answered 503"),
        (599, True, "answered 599"),
    ],
)
async def test_a_status_says_whether_a_second_try_may_help(
    client: ApiClient, status: int, transient: bool, sentence: str
) -> None:
    with Engine(failing(status, Location="http://127.0.0.1:9/")) as engine:
        error = await failure(client, engine.url)
    assert error.transient == transient
    assert str(error).startswith("Quay Search")
    with pytest.raises(SearchError, match=sentence):
        raise error


async def test_an_engine_that_is_asked_too_often_says_for_how_long(client: ApiClient) -> None:
    with Engine(failing(429, Retry_After="30")) as engine:
        error = await failure(client, engine.url)
    assert isinstance(error, SearchBusy) and error.retry_after_s == 30


def test_the_wait_is_read_as_engines_write_it() -> None:
    assert wait_s({"retry-after": "12"}) == 12
    assert wait_s({"x-ratelimit-reset": "1, 1419704"}) == 1
    assert wait_s({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
    assert wait_s({}) is None


async def test_nobody_there_and_too_much_are_sentences(client: ApiClient) -> None:
    assert (await failure(client, "http://127.0.0.1:9/")).transient
    with Engine(lambda asked: Reply(200, b"x" * 5000)) as engine:
        assert "more than" in str(await failure(client, engine.url))
    assert "not a valid URL" in str(await failure(client, "http://[::1"))


async def test_of_a_list_of_hosts_no_other_is_asked() -> None:
    with Engine(lambda asked: Reply(200, b"{}")) as engine:
        async with ApiClient(only=HostList(["search.example", "*.lan"])) as client:
            for url in (
                engine.url,
                "https://api.search.example/",
                "https://lan/",
                "http://a@x.lan/",
            ):
                assert "not on the list of hosts" in str(await failure(client, url))
        async with ApiClient(only=HostList([engine.url.split("/")[2]])) as client:
            assert await Endpoint(client, "Quay", engine.url).get({})
        assert len(engine.asked) == 1


async def test_offline_only_engines_on_this_machine_are_asked() -> None:
    async with ApiClient(offline=True) as client:
        assert "stay offline" in str(await failure(client, "http://192.0.2.1/search"))
        with Engine(lambda asked: Reply(200, b"{}")) as engine:
            assert await Endpoint(client, "Quay", engine.url).get({})


async def test_it_says_who_it_is_and_nothing_of_the_machine(client: ApiClient) -> None:
    def kept(asked: Asked) -> Reply:
        return Reply(200, b"{}")

    with Engine(kept) as engine:
        await Endpoint(client, "Quay", engine.url).get({"q": "a b&c"})
        (asked,) = engine.asked
    assert asked.headers["user-agent"].startswith("edge-agent/")
    assert asked.params == {"q": "a b&c"}


def test_marks_in_a_text_are_taken_out_and_nothing_else() -> None:
    assert line("a <b>bold</b> &amp;  1 < 2 <x") == "a bold & 1 < 2 <x"
    assert line(None) == "" and line(["x"]) == "" and line(12) == "12"


def test_a_query_is_cut_between_words() -> None:
    assert shortened("one two three", 9) == "one two"
    assert shortened("one two three", 100, 2) == "one two"
    assert shortened("x" * 20, 5) == "xxxxx"
