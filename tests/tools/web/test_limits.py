"""No server holds a fetch past its limits, and all fetches together hold little memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from edge_agent.errors import FetchError
from edge_agent.tools.web.body import Download
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.limits import (
    AT_ONCE,
    LARGE_AT_ONCE,
    LARGE_BYTES,
    LARGE_WAITING,
    WebLimits,
)
from tests.patience import HANG_S, until
from tests.tools.fakes import FaultyWeb, Reply, fixed

# those that matter are much shorter than those that do not
LIMITS = WebLimits(first_byte_s=0.5, read_s=20, total_s=25, slow_s=0.3, slow_rate=1_000)
IN_TIME_S = 8.0
PATIENT = WebLimits(first_byte_s=HANG_S, read_s=HANG_S, total_s=HANG_S)
ROUTES = {
    "/large": fixed(Reply(b"x" * (2 * LARGE_BYTES))),
    "/small": fixed(Reply(b"A small page.")),
}
Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """A server that says whatever `talk` writes, as often as it likes. Its host and port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def said(writer: asyncio.StreamWriter, *pieces: bytes, every_s: float = 0.0) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(every_s)


async def drips_its_head(writer: asyncio.StreamWriter) -> None:
    await said(writer, b"HTTP/1.1 200 OK\r\n", *[b"X: a\r\n"] * 900, every_s=0.05)


async def drips_its_body(writer: asyncio.StreamWriter) -> None:
    await said(writer, b"HTTP/1.1 200 OK\r\n\r\n", *[b"."] * 900, every_s=0.02)


async def never_ends_its_head(writer: asyncio.StreamWriter) -> None:
    await said(writer, b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"a" * 60_000 + b"\r\n"] * 500)


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def talks_nonsense(writer: asyncio.StreamWriter) -> None:
    await said(writer, b"SSH-2.0-OpenSSH_9.9\r\n")


@pytest.mark.parametrize(
    ("talk", "kind", "limits"),
    [
        (drips_its_head, "timeout", LIMITS),
        (drips_its_body, "timeout", LIMITS),
        (says_nothing, "timeout", LIMITS),
        (never_ends_its_head, "unreachable", WebLimits()),
        (talks_nonsense, "unreachable", WebLimits()),
    ],
)
async def test_no_server_holds_a_fetch_past_its_limits(
    talk: Talk, kind: str, limits: WebLimits
) -> None:
    async with talking(talk) as host, WebClient([host], limits, robots_off=["*"]) as web:
        began = time.monotonic()
        with pytest.raises(FetchError) as caught:
            await web.get(f"http://{host}/")
        assert caught.value.kind == kind
        assert time.monotonic() - began < IN_TIME_S


class Crowd:
    """How many bodies were held side by side at most; all are held until so many were, and until
    they may go."""

    def __init__(self, together: int, may_go: bool = True) -> None:
        self._together = together
        self.may_go = may_go
        self.here = self.most = 0

    async def __call__(self, download: Download) -> int:
        self.here += 1
        self.most = max(self.most, self.here)
        await until(lambda: self.may_go and self.most >= self._together)
        self.here -= 1
        return len(download.data)


@pytest.fixture(scope="module")
def site() -> Iterator[FaultyWeb]:
    with FaultyWeb(ROUTES) as web:
        yield web


async def test_large_bodies_are_held_a_few_at_a_time(site: FaultyWeb) -> None:
    crowd = Crowd(LARGE_AT_ONCE)
    async with WebClient([site.host], PATIENT, robots_off=["*"]) as web:
        sizes = await asyncio.gather(*(web.read(f"{site.url}/large", crowd) for _ in range(8)))
    assert sizes == [2 * LARGE_BYTES] * 8 and crowd.most == LARGE_AT_ONCE


async def test_large_bodies_that_nobody_has_room_for_are_given_up_at_once(
    site: FaultyWeb,
) -> None:
    """So that they keep nobody else waiting."""
    count = LARGE_AT_ONCE + LARGE_WAITING + 5
    crowd = Crowd(LARGE_AT_ONCE, may_go=False)
    async with WebClient([site.host], PATIENT, robots_off=["*"]) as web:
        reads = (web.read(f"{site.url}/large", crowd) for _ in range(count))
        asked = [asyncio.create_task(read) for read in reads]
        await until(lambda: sum(task.done() for task in asked) == 5)
        crowd.may_go = True
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    given_up = [one for one in outcomes if isinstance(one, FetchError)]
    assert len(given_up) == 5 and all("ask for it again" in str(one) for one in given_up)
    assert crowd.most == LARGE_AT_ONCE


async def test_small_pages_come_side_by_side_and_not_all_at_once(site: FaultyWeb) -> None:
    crowd = Crowd(21)
    async with WebClient([site.host], PATIENT, robots_off=["*"]) as web:
        count = AT_ONCE + 40
        await asyncio.gather(*(web.read(f"{site.url}/small", crowd) for _ in range(count)))
    assert 20 < crowd.most <= AT_ONCE


async def test_waiting_for_room_counts_as_well(site: FaultyWeb) -> None:
    """Who holds a large body keeps others waiting, but not past their limit."""
    crowd = Crowd(LARGE_AT_ONCE, may_go=False)
    async with WebClient([site.host], WebLimits(total_s=4), robots_off=["*"]) as web:
        asked = (web.read(f"{site.url}/large", crowd) for _ in range(LARGE_AT_ONCE + 2))
        tasks = [asyncio.create_task(one) for one in asked]
        await until(lambda: sum(task.done() for task in tasks) == 2)
        crowd.may_go = True
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    late = [one for one in outcomes if isinstance(one, FetchError)]
    assert len(late) == 2 and all(one.kind == "timeout" for one in late)
