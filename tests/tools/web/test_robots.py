"""robots.txt: the longest pattern decides, and the file is read once for all who ask."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from edge_agent.errors import FetchError
from edge_agent.tools.web.client import WebClient, WebLimits
from edge_agent.tools.web.robots import Rule, parse
from tests.patience import HANG_S, until
from tests.tools.fakes import PAGE, Answer, FaultyWeb, Reply, fixed

LIMITS = WebLimits()

FILE = """
# who may read what
User-agent: edge-agent
User-agent: other-bot
Disallow: /private/
Allow: /private/open
Disallow: /*.pdf$
Crawl-delay: 2.5

User-agent: *
Disallow: /

Sitemap: https://isles.example/map.xml
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/private", True),
        ("/private/", False),
        ("/private/x", False),
        ("/private/open", True),
        ("/private/open/x", True),
        ("/%70rivate/x", False),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x=1", True),
        ("/robots.txt", True),
    ],
)
def test_the_longest_pattern_of_our_group_decides(path: str, allowed: bool) -> None:
    assert parse(FILE).allows(path) is allowed


def test_a_group_that_names_us_stands_in_for_that_of_everybody() -> None:
    rules = parse(FILE)
    assert rules.delay_s == 2.5 and rules.sitemaps == ("https://isles.example/map.xml",)
    assert not parse(FILE, "stranger").allows("/anything")
    assert parse("User-agent: somebody\nDisallow: /").allows("/")
    assert not parse("User-Agent: Edge-Agent/2\nDISALLOW: /x").allows("/x")
    assert parse("User-agent: *\nDisallow:").allows("/x")


def test_groups_of_one_agent_count_together_and_allow_wins_a_tie() -> None:
    text = "User-agent: *\nDisallow: /a\nUser-agent: *\nDisallow: /b\nAllow: /b\n"
    assert not parse(text).allows("/a") and parse(text).allows("/b")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/fish", "/fish.html", True),
        ("/fish*", "/fishheads/yummy", True),
        ("/*.php", "/a.php?x", True),
        ("/*.php$", "/a.php?x", False),
        ("/*.php$", "/a.php", True),
        ("/fish*.php", "/fishheads/a.php", True),
        ("/a*b$", "/ab", True),
        ("/a*ab$", "/ab", False),
        ("/$", "/", True),
        ("/$", "/x", False),
        ("/ü", "/%C3%BC", True),
        ("/a%2fb", "/a%2Fb", True),
        ("/a%2fb", "/a/b", False),
    ],
)
def test_a_pattern_matches_as_the_standard_says(pattern: str, path: str, matches: bool) -> None:
    rules = parse(f"User-agent: *\nDisallow: {pattern}")
    assert rules.allows(path) is not matches


def test_a_hostile_pattern_costs_nothing() -> None:
    began = time.process_time()
    assert not Rule(True, "/" + "*a" * 5_000 + "$").matches("/" + "a" * 4_000)
    assert time.process_time() - began < 0.5


def site(robots: Answer) -> FaultyWeb:
    return FaultyWeb(
        {"/robots.txt": robots, "/open": fixed(Reply(PAGE)), "/no/x": fixed(Reply(PAGE))}
    )


FORBIDS = fixed(Reply(b"User-agent: *\nDisallow: /no/", "text/plain"))


async def test_what_a_site_forbids_is_not_fetched_and_it_is_asked_once() -> None:
    with site(FORBIDS) as web:
        async with WebClient([web.host], LIMITS) as client:
            await asyncio.gather(*(client.get(f"{web.url}/open") for _ in range(5)))
            with pytest.raises(FetchError, match="not for robots") as caught:
                await client.get(f"{web.url}/no/x")
        assert caught.value.kind == "refused" and "robots_off" in str(caught.value)
        paths = [path for path, _ in web.requests]
        assert paths.count("/robots.txt") == 1 and "/no/x" not in paths


async def test_a_redirect_is_asked_about_as_well() -> None:
    def there(handler: object, query: dict[str, list[str]]) -> Reply:
        return Reply(status=302, headers={"Location": "/no/x"})

    with FaultyWeb({"/robots.txt": FORBIDS, "/to": there, "/no/x": fixed(Reply(PAGE))}) as web:
        async with WebClient([web.host], LIMITS) as client:
            with pytest.raises(FetchError, match="not for robots"):
                await client.get(f"{web.url}/to")


@pytest.mark.parametrize("off", [["*"], ["HOST"]])
async def test_a_person_reads_his_own_site_whatever_its_robots_txt_says(off: list[str]) -> None:
    with site(FORBIDS) as web:
        hosts = [web.host if each == "HOST" else each for each in off]
        async with WebClient([web.host], LIMITS, robots_off=hosts) as client:
            assert (await client.get(f"{web.url}/no/x")).data == PAGE
        assert [path for path, _ in web.requests] == ["/no/x"]


@pytest.mark.parametrize(
    ("status", "read"), [(404, True), (403, True), (410, True), (503, False), (429, False)]
)
async def test_no_file_allows_everything_and_a_broken_site_nothing(status: int, read: bool) -> None:
    with site(fixed(Reply(b"x", status=status))) as web:
        async with WebClient([web.host], LIMITS) as client:
            if read:
                assert (await client.get(f"{web.url}/open")).data == PAGE
                return
            for _ in range(2):
                with pytest.raises(FetchError, match="could not say what it lets robots") as caught:
                    await client.get(f"{web.url}/open")
                assert caught.value.kind == "refused"
        assert [path for path, _ in web.requests] == ["/robots.txt"]


async def test_only_the_beginning_of_an_endless_file_is_read() -> None:
    text = b"User-agent: *\nDisallow: /no/\n" + b"# and so on\n" * 200_000
    with site(fixed(Reply(text, "text/plain"))) as web:
        async with WebClient([web.host], LIMITS) as client:
            assert (await client.get(f"{web.url}/open")).data == PAGE
            with pytest.raises(FetchError, match="not for robots"):
                await client.get(f"{web.url}/no/x")


async def test_who_gives_up_waiting_leaves_the_answer_to_the_others() -> None:
    answers = threading.Event()

    def slow(handler: object, query: dict[str, list[str]]) -> Reply:
        assert answers.wait(HANG_S)
        return Reply(b"", "text/plain")

    with site(slow) as web:
        async with WebClient([web.host], LIMITS) as client:
            first = asyncio.create_task(client.get(f"{web.url}/open"))
            second = asyncio.create_task(client.get(f"{web.url}/open"))
            await until(lambda: bool(web.requests))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            answers.set()
            assert (await second).data == PAGE
        assert [path for path, _ in web.requests].count("/robots.txt") == 1
