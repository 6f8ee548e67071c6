"""Attempts to reach what is inside through the web client: none of them arrives.

Two real servers listen on loopback. One stands for the open internet: the public addresses lead to
it, and it redirects wherever it is asked to. The other is inside, and must never hear anything.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from edge_agent.errors import FetchError
from edge_agent.tools.web.client import WebClient, WebLimits
from edge_agent.tools.web.egress import Mode
from tests.tools.fakes import FaultyWeb, Reply, fixed
from tests.tools.web.internet import OTHER, PUBLIC, PUBLIC6, Internet, Names

LIMITS = WebLimits(max_bytes=1_000_000)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # all servers here speak plain HTTP
PORT = "PORT"  # of the server inside, in the addresses below

# the server inside, spelled in every way that some parser reads as this machine or its network
HOSTS = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.127.127.127",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.01",
    "0177.0.0x0.1",
    "127.0.0.0x1",
    "%31%32%37.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "１２７.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "printer.local",
    "router.lan",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[fc00::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "2852039166",
    "[::ffff:169.254.169.254]",
    "metadata.google.internal",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
)
# whole addresses: other schemes, credentials, odd ports, and what parsers disagree about
URLS = (
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "ftp://127.0.0.1:PORT/article",
    "gopher://127.0.0.1:PORT/_GET%20/article",
    "dict://127.0.0.1:PORT/x",
    "ldap://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/article",
    "data:text/html,<p>x</p>",
    "javascript:alert(1)",
    "view-source:http://127.0.0.1:PORT/",
    "jar:http://127.0.0.1:PORT/x!/",
    "unix:/var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "//127.0.0.1:PORT/article",
    "http:127.0.0.1:PORT/article",
    "http:///127.0.0.1:PORT/article",
    "http:\\\\127.0.0.1:PORT/article",
    "http://user:secret@public.example/",
    "http://public.example@127.0.0.1:PORT/article",
    "http://127.0.0.1:PORT\\@public.example/",
    "http://public.example\\@127.0.0.1:PORT/article",
    "http://127.0.0.1:PORT#@public.example/",
    "http://127.0.0.1:PORT?@public.example/",
    "http://@127.0.0.1:PORT/article",
    "http://public.example:80:PORT/article",
    "http://public.example%00.127.0.0.1:PORT/",
    "http://127.0.0.1\t:PORT/article",
    "http://127.0.0.1%09:PORT/article",
    "http://[::1",
    "http://::1:PORT/article",
    "http://[v1.127]:PORT/",
    "http://127.0.0.1,public.example:PORT/article",
    "http://public.example:0/",
    "http://public.example:22/",
    "http://public.example:25/",
    "http://public.example:6379/",
    "http://public.example:8080/",
    "http://public.example:65536/",
    "http://public.example:-80/",
)
# names whose addresses are inside; of mixed answers the public ones alone are used
ANSWERS = (
    "127.0.0.1",
    "::1",
    "10.0.0.7 192.168.0.7",
    "169.254.169.254",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "fe80::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "100.64.0.1",
)


class World:
    """A client that nobody gave a permission, an internet, and what must not be reached."""

    def __init__(self, public: FaultyWeb, inside: FaultyWeb, names: Names | None = None) -> None:
        self.inside = inside
        self.public = public
        self.internet = Internet({PUBLIC: public.port, PUBLIC6: public.port, OTHER: public.port})
        self.names = names or Names(public_example=PUBLIC, other_example=OTHER)
        ports = (80, 443, inside.port)  # so that it is the address that is refused, not the port
        self.client = WebClient(
            limits=LIMITS, resolver=self.names, ports=ports, tls=NO_TLS, sockets=self.internet
        )
        self._heard = len(inside.requests)

    async def refused(self, url: str) -> FetchError:
        """The attempt fails, and nothing inside was asked or even dialled."""
        async with self.client:
            with pytest.raises(FetchError) as caught:
                await self.client.get(url.replace(PORT, str(self.inside.port)))
        assert len(self.inside.requests) == self._heard
        assert {address for address, _ in self.internet.dialled} <= {PUBLIC, PUBLIC6, OTHER}
        return caught.value


@pytest.fixture(scope="module")
def public() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


@pytest.fixture(scope="module")
def inside() -> Iterator[FaultyWeb]:
    with FaultyWeb() as web:
        yield web


async def test_the_internet_of_these_tests_is_reached(public: FaultyWeb, inside: FaultyWeb) -> None:
    world = World(public, inside)
    async with world.client:
        got = await world.client.get(
            "http://public.example/redirect?to=http://other.example/article"
        )
    assert got.url == "http://other.example/article" and got.data
    assert world.internet.dialled == [(PUBLIC, 80), (PUBLIC, 80), (OTHER, 80), (OTHER, 80)]


def test_there_are_attempts_enough() -> None:
    assert 2 * len(HOSTS) + 2 * len(URLS) + 2 * len(ANSWERS) >= 200


@pytest.mark.parametrize("host", HOSTS)
async def test_what_is_inside_is_refused_under_every_name(
    public: FaultyWeb, inside: FaultyWeb, host: str
) -> None:
    error = await World(public, inside).refused(f"http://{host}:PORT/article")
    assert error.kind in ("refused", "invalid")


@pytest.mark.parametrize("host", HOSTS)
async def test_no_redirect_leads_inside(public: FaultyWeb, inside: FaultyWeb, host: str) -> None:
    to = f"http://{host.replace('%', '%25')}:PORT/article"
    error = await World(public, inside).refused(f"http://public.example/redirect?to={to}")
    assert error.kind in ("refused", "invalid")


@pytest.mark.parametrize("url", URLS)
async def test_what_is_no_web_page_or_hides_its_host_is_refused(
    public: FaultyWeb, inside: FaultyWeb, url: str
) -> None:
    assert (await World(public, inside).refused(url)).kind in ("refused", "invalid")


@pytest.mark.parametrize("to", URLS)
async def test_no_redirect_leads_to_such_an_address(
    public: FaultyWeb, inside: FaultyWeb, to: str
) -> None:
    """A location without scheme is a path of the same server, where there is no such page."""
    escaped = to.replace("%", "%25").replace("#", "%23").replace("\n", "%0a").replace("\t", "%09")
    error = await World(public, inside).refused(f"http://public.example/redirect?to={escaped}")
    assert error.kind in ("refused", "invalid", "status", "unreachable")


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_name_that_means_something_inside_is_refused(
    public: FaultyWeb, inside: FaultyWeb, answer: str
) -> None:
    world = World(public, inside, Names(sneaky_example=answer))
    error = await world.refused("http://sneaky.example:PORT/article")
    assert error.kind == "refused" and "allow_hosts" in str(error)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_name_that_changes_its_meaning_is_checked_each_time(
    public: FaultyWeb, inside: FaultyWeb, answer: str
) -> None:
    """Public for robots.txt and for a redirect to itself, inside for the page it leads to."""
    names = Names(rebinding_example=[PUBLIC, PUBLIC, answer])
    world = World(public, inside, names)
    to = "http://rebinding.example:PORT/article"
    error = await world.refused(f"http://rebinding.example/redirect?to={to}")
    assert error.kind == "refused"


@pytest.mark.parametrize("answer", ANSWERS)
async def test_of_mixed_answers_the_public_ones_are_used(
    public: FaultyWeb, inside: FaultyWeb, answer: str
) -> None:
    world = World(public, inside, Names(mixed_example=f"{answer} {PUBLIC}"))
    async with world.client:
        assert (await world.client.get("http://mixed.example/article")).data
    assert {address for address, _ in world.internet.dialled} == {PUBLIC}


async def test_a_name_is_looked_up_once_for_each_connection(
    public: FaultyWeb, inside: FaultyWeb
) -> None:
    """What is connected to is the first answer; a second one, which leads inside, is not asked."""
    names = Names(rebinding_example=[PUBLIC, "127.0.0.1"])
    world = World(public, inside, names)
    robots_free = WebClient(limits=LIMITS, resolver=names, sockets=world.internet, robots_off=["*"])
    async with robots_free:
        assert (await robots_free.get("http://rebinding.example/article")).data
    assert names.asked == ["rebinding.example"]
    assert world.internet.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/alt", {"Alt-Svc": 'h2="127.0.0.1:PORT"'}),
        ("/refresh", {"Refresh": "0; url=http://127.0.0.1:PORT/article"}),
        ("/link", {"Link": "<http://127.0.0.1:PORT/article>; rel=preload"}),
        ("/where", {"Content-Location": "http://127.0.0.1:PORT/article"}),
    ],
)
async def test_no_header_leads_inside(
    inside: FaultyWeb, path: str, headers: dict[str, str]
) -> None:
    body = b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1/"><p>A page.</p>'
    told = {name: value.replace(PORT, str(inside.port)) for name, value in headers.items()}
    with FaultyWeb({path: fixed(Reply(body, headers=told))}) as public:
        world = World(public, inside)
        heard = len(inside.requests)
        async with world.client:
            assert (await world.client.get(f"http://public.example{path}")).data == body
        assert len(inside.requests) == heard
        assert {address for address, _ in world.internet.dialled} == {PUBLIC}


async def test_robots_txt_is_fetched_by_the_same_rules(inside: FaultyWeb) -> None:
    to = f"http://127.0.0.1:{inside.port}/article"
    robots = fixed(Reply(status=302, headers={"Location": to}))
    with FaultyWeb({"/robots.txt": robots}) as public:
        error = await World(public, inside).refused("http://public.example/article")
    assert error.kind == "refused"


@pytest.mark.parametrize("mode", ["allow-list", "offline"])
async def test_a_device_that_stays_at_home_dials_nobody(
    public: FaultyWeb, inside: FaultyWeb, mode: Mode
) -> None:
    world = World(public, inside)
    client = WebClient(
        limits=LIMITS, resolver=world.names, mode=mode, listed=["other.example"],
        sockets=world.internet, ports=(80, inside.port),
    )  # fmt: skip
    async with client:
        for url in (
            "http://public.example/article",
            f"http://{PUBLIC}/article",
            "http://public.example./article",
            "http://other.example.public.example/article",
            "http://sub.other.example/article",
            f"http://127.0.0.1:{inside.port}/article",
        ):
            with pytest.raises(FetchError) as caught:
                await client.get(url)
            assert caught.value.kind == "refused"
    assert world.internet.dialled == [] and world.names.asked == []


async def test_what_is_on_the_list_may_not_lead_away_from_it(
    public: FaultyWeb, inside: FaultyWeb
) -> None:
    world = World(public, inside)
    client = WebClient(
        limits=LIMITS, resolver=world.names, mode="allow-list", listed=["other.example"],
        sockets=world.internet,
    )  # fmt: skip
    async with client:
        assert (await client.get("http://other.example/article")).data
        with pytest.raises(FetchError, match="not on the list"):
            await client.get("http://other.example/redirect?to=http://public.example/article")
    assert {address for address, _ in world.internet.dialled} == {OTHER}
