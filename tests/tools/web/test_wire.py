"""HTTP/2 over TLS, against a real server: the name is verified, the address is the checked one."""

from __future__ import annotations

import asyncio

import pytest

from edge_agent.errors import FetchError
from edge_agent.tools.web.client import WebClient, WebLimits
from tests.tools.web.internet import PUBLIC, Internet, Names
from tests.tools.web.tls import BODY, Http2Site

LIMITS = WebLimits()


async def test_pages_come_over_http2_by_the_name_that_was_asked_for() -> None:
    async with Http2Site("isles.example") as site:
        internet = Internet({PUBLIC: site.port})
        names = Names(isles_example=PUBLIC)
        client = WebClient(limits=LIMITS, resolver=names, tls=site.trust, sockets=internet)
        async with client:
            got = await client.get("https://isles.example/lamp?year=1871")
        assert got.data == BODY and got.url == "https://isles.example/lamp?year=1871"
    assert site.seen == [("isles.example", "h2")]
    assert site.asked == ["isles.example/robots.txt", "isles.example/lamp?year=1871"]
    assert internet.dialled == [(PUBLIC, 443)]  # one connection, to the address that was checked


async def test_requests_together_share_a_connection() -> None:
    async with Http2Site("isles.example") as site:
        internet = Internet({PUBLIC: site.port})
        names = Names(isles_example=PUBLIC)
        client = WebClient(limits=LIMITS, resolver=names, tls=site.trust, sockets=internet)
        async with client:
            await client.get("https://isles.example/first")
            urls = [f"https://isles.example/{n}" for n in range(20)]
            pages = await asyncio.gather(*(client.get(url) for url in urls))
        assert {page.data for page in pages} == {BODY}
        assert len(site.seen) == 1 and len(site.asked) == 22


async def test_two_names_at_one_address_never_share_a_connection() -> None:
    """TLS was verified for one of them: the other must be verified on its own."""
    async with Http2Site("isles.example", "reef.example") as site:
        internet = Internet({PUBLIC: site.port})
        names = Names(isles_example=PUBLIC, reef_example=PUBLIC, false_example=PUBLIC)
        client = WebClient(limits=LIMITS, resolver=names, tls=site.trust, sockets=internet)
        async with client:
            await client.get("https://isles.example/")
            await client.get("https://reef.example/")
            with pytest.raises(FetchError, match="cannot be trusted") as caught:
                await client.get("https://false.example/")
        assert caught.value.kind == "refused"
        assert [name for name, _ in site.seen] == ["isles.example", "reef.example"]


async def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    async with Http2Site("isles.example") as site:
        internet = Internet({PUBLIC: site.port})
        client = WebClient(limits=LIMITS, resolver=Names(isles_example=PUBLIC), sockets=internet)
        async with client:
            with pytest.raises(FetchError, match="cannot be trusted"):
                await client.get("https://isles.example/")
        assert site.asked == []
