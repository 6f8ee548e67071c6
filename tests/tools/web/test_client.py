"""The web client against a real server that misbehaves: every failure is a typed sentence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from edge_agent import __version__
from edge_agent.errors import FetchError
from edge_agent.tools.web.client import WebClient, WebLimits
from tests.tools.fakes import ARTICLE, DAWDLED_S, FaultyWeb, names, public_then

LIMITS = WebLimits(max_bytes=1_000_000)
HASTY = WebLimits(connect_s=0.5, read_s=0.5, total_s=2.0)


@pytest.fixture(scope="module")
def site() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


@pytest.fixture
async def client(site: FaultyWeb) -> AsyncIterator[WebClient]:
    async with WebClient([site.host], LIMITS) as client:
        yield client


async def failure(client: WebClient, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await client.get(url)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return caught.value


async def test_a_page_comes_with_its_type_and_final_url(client: WebClient, site: FaultyWeb) -> None:
    got = await client.get(f"{site.url}/redirect?to=/article%23keeper")
    assert (got.url, got.media_type, got.charset) == (f"{site.url}/article", "text/html", "utf-8")
    assert got.data.decode() == ARTICLE


async def test_the_client_says_who_it_is_and_sends_no_secrets(
    client: WebClient, site: FaultyWeb
) -> None:
    await client.get(f"{site.url}/article")
    heads = site.requests[-1][1]
    assert heads["user-agent"] == f"edge-agent/{__version__}"
    assert heads["host"] == site.host
    assert not {"cookie", "authorization", "referer"} & heads.keys()


async def test_five_redirects_are_followed_and_six_are_not(
    client: WebClient, site: FaultyWeb
) -> None:
    assert (await client.get(f"{site.url}/chain?n=4")).url == f"{site.url}/article"
    assert (await failure(client, f"{site.url}/chain?n=5")).kind == "unreachable"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/missing", "status"),
        ("/busy", "status"),
        ("/nowhere", "unreachable"),
        ("/cut", "unreachable"),
        ("/cutgzip", "unreachable"),
        ("/notgzip", "unreachable"),
        ("/brotli", "unsupported"),
        ("/empty", "empty"),
        ("/endless", "too_large"),
        ("/announced", "too_large"),
        ("/bomb", "too_large"),
        ("/redirect?to=ftp://a.example/x", "invalid"),
        ("/redirect?to=file:///etc/hosts", "invalid"),
        ("/redirect?to=http://127.0.0.1:1/x", "refused"),
        ("/redirect?to=http://[::1]/x", "refused"),
        ("/redirect?to=http://169.254.169.254/latest", "refused"),
        ("/redirect?to=http://user:secret@a.example/", "refused"),
    ],
)
async def test_every_fault_has_its_kind(
    client: WebClient, site: FaultyWeb, path: str, kind: str
) -> None:
    error = await failure(client, site.url + path)
    assert error.kind == kind
    assert "secret" not in str(error)


async def test_a_server_that_asks_to_wait_is_quoted(client: WebClient, site: FaultyWeb) -> None:
    message = str(await failure(client, f"{site.url}/busy"))
    assert "503 (Service Unavailable); try again after 30 seconds" in message


@pytest.mark.parametrize("path", ["/gzip", "/zlib", "/deflate"])
async def test_packed_pages_are_unpacked(client: WebClient, site: FaultyWeb, path: str) -> None:
    assert (await client.get(site.url + path)).data.decode() == ARTICLE


@pytest.mark.parametrize("path", ["/stall", "/drip"])
async def test_slow_servers_are_left_in_time(site: FaultyWeb, path: str) -> None:
    began = time.monotonic()
    async with WebClient([site.host], HASTY) as client:
        assert (await failure(client, site.url + path)).kind == "timeout"
    assert time.monotonic() - began < DAWDLED_S


@pytest.mark.parametrize("path", ["/plainhtml", "/untyped"])
async def test_html_is_known_by_its_looks(client: WebClient, site: FaultyWeb, path: str) -> None:
    assert (await client.get(site.url + path)).media_type == "text/html"


async def test_pictures_and_programs_are_known_by_their_bytes(
    client: WebClient, site: FaultyWeb
) -> None:
    assert (await client.get(f"{site.url}/image")).media_type == "image/png"
    assert (await client.get(f"{site.url}/binary")).media_type == "application/x-executable"


@pytest.mark.parametrize(
    "path", ["/latin-as-utf8", "/utf8-as-latin", "/utf16", "/nonsense-charset"]
)
async def test_a_wrong_charset_does_not_spoil_the_text(
    client: WebClient, site: FaultyWeb, path: str
) -> None:
    got = await client.get(site.url + path)
    assert "Café Angèle €" in got.data.decode(got.charset)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "ftp://a.example/",
        "file:///etc/hosts",
        "javascript:alert(1)",
        "http://",
        "https:///path",
        "http://a.example:99999/",
        "http://a b/",
        "http://[::1",
        "not a url",
        "http://\ud800.example/",
        "http://" + "a" * 70_000,
    ],
)
async def test_what_is_no_web_url_is_invalid(client: WebClient, url: str) -> None:
    assert (await failure(client, url)).kind in ("invalid", "unreachable")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "localhost.",
        "LOCALHOST",
        "192.168.0.1",
        "169.254.169.254",
        "①②⑦.0.0.1",
    ],
)
async def test_this_machine_is_refused_under_every_name(site: FaultyWeb, host: str) -> None:
    before = len(site.requests)
    async with WebClient(limits=LIMITS, ports=[site.port]) as stranger:
        error = await failure(stranger, f"http://{host}:{site.port}/article")
    assert error.kind in ("refused", "unreachable", "invalid")
    assert len(site.requests) == before


async def test_an_allowed_host_is_allowed_on_its_port_only(site: FaultyWeb) -> None:
    async with FaultyWebPair(site) as (client, other):
        assert (await client.get(f"{site.url}/article")).data
        assert (await failure(client, f"{other.url}/article")).kind == "refused"
        forwarded = f"{site.url}/redirect?to={other.url}/article"
        assert (await failure(client, forwarded)).kind == "refused"
        assert other.requests == []


class FaultyWebPair:
    """A client that may reach `allowed`, and another server that it may not."""

    def __init__(self, allowed: FaultyWeb) -> None:
        self._client = WebClient([allowed.host], LIMITS)
        self._other = FaultyWeb()

    async def __aenter__(self) -> tuple[WebClient, FaultyWeb]:
        return self._client, self._other.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self._other.__exit__()
        await self._client.aclose()


async def test_a_name_that_means_this_machine_is_refused(site: FaultyWeb) -> None:
    resolver = names(sneaky_example="127.0.0.1", mixed_example="10.0.0.1 fe80::1")
    async with WebClient(limits=LIMITS, resolver=resolver, ports=[site.port]) as client:
        for host in ("sneaky.example", "mixed.example"):
            error = await failure(client, f"http://{host}:{site.port}/article")
            assert error.kind == "refused" and "allow_hosts" in str(error)


async def test_the_address_that_was_checked_is_the_one_connected_to(site: FaultyWeb) -> None:
    resolver, asked = public_then("127.0.0.1")
    before = len(site.requests)
    async with WebClient(limits=LIMITS, resolver=resolver, ports=[site.port]) as client:
        error = await failure(client, f"http://rebinding.example:{site.port}/article")
    assert error.kind in ("unreachable", "timeout")
    assert asked == ["rebinding.example"]
    assert len(site.requests) == before


async def test_the_server_sees_the_name_and_not_the_address(site: FaultyWeb) -> None:
    resolver = names(isles_example="127.0.0.1")
    async with WebClient(["isles.example"], LIMITS, resolver) as client:
        got = await client.get(f"http://isles.example:{site.port}/article")
    assert got.url == f"http://isles.example:{site.port}/article"
    assert site.requests[-1][1]["host"] == f"isles.example:{site.port}"


async def test_the_next_address_is_tried_when_one_does_not_answer(site: FaultyWeb) -> None:
    resolver = names(isles_example="::1 127.0.0.2 127.0.0.1")
    async with WebClient(["isles.example"], LIMITS, resolver) as client:
        assert (await client.get(f"http://isles.example:{site.port}/article")).data


async def test_a_name_nobody_knows_and_a_closed_port_are_unreachable(site: FaultyWeb) -> None:
    async with WebClient(["127.0.0.1"], LIMITS, names()) as client:
        assert (await failure(client, "http://nobody.example/")).kind == "unreachable"
        assert (await failure(client, "http://127.0.0.1:9/")).kind == "unreachable"
        assert (await failure(client, f"https://127.0.0.1:{site.port}/")).kind == "unreachable"


async def test_fetches_run_together_and_cancelling_one_leaves_the_rest(
    client: WebClient, site: FaultyWeb
) -> None:
    slow = asyncio.create_task(client.get(f"{site.url}/drip"))
    pages = await asyncio.gather(*(client.get(f"{site.url}/article") for _ in range(8)))
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert {page.data.decode() for page in pages} == {ARTICLE}
