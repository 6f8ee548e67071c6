"""HTTP that a stranger's server cannot misuse: bounded in time and bytes, public hosts only."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TypeVar

import httpcore
import httpx

from edge_agent import __version__
from edge_agent.errors import FetchError
from edge_agent.tools.web.address import Resolver, resolve
from edge_agent.tools.web.body import Download, headers_of, read_body, require_success, typed
from edge_agent.tools.web.egress import PORTS, Egress, HostList, Mode
from edge_agent.tools.web.freshness import NOTHING_KNOWN, Validators, fresh_s, validators_of
from edge_agent.tools.web.inflate import ACCEPT_ENCODING
from edge_agent.tools.web.limits import AT_ONCE, Large, Lease, WebLimits
from edge_agent.tools.web.robots import MAX_BYTES as ROBOTS_BYTES
from edge_agent.tools.web.robots_book import RobotsBook
from edge_agent.tools.web.target import Target, joined, target_of
from edge_agent.tools.web.wire import Wire

T = TypeVar("T")
USER_AGENT = f"edge-agent/{__version__}"
ACCEPT = "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.5"
MAX_REDIRECTS = 5
ROBOTS_LIMITS = WebLimits(
    connect_s=5.0,
    first_byte_s=8.0,
    read_s=5.0,
    total_s=10.0,
    max_wire_bytes=ROBOTS_BYTES,
    max_bytes=ROBOTS_BYTES,
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304


class WebClient:
    """GET over http and https, in HTTP/2 where a server speaks it.

    A host's addresses are looked up and checked where the connection is made, to the address that
    was checked, for every redirect anew; addresses that are not public and `ports` other than the
    web's are refused unless the host is in `allow_hosts` (`host`, `host:port` or `*.host`). No
    cookies, no proxies, no credentials. Every failure is a FetchError.

    mode: `open`; `allow-list`, which reaches only the hosts in `listed` and `allow_hosts`; or
    `offline`, which reaches only hosts in `allow_hosts` on this machine. robots_off: hosts whose
    robots.txt is not asked; `*` asks none.
    """

    def __init__(
        self,
        allow_hosts: Iterable[str] = (),
        limits: WebLimits | None = None,
        resolver: Resolver = resolve,
        *,
        mode: Mode = "open",
        listed: Iterable[str] = (),
        robots_off: Iterable[str] = (),
        ports: Iterable[int] = PORTS,
        tls: ssl.SSLContext | None = None,
        sockets: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        off = tuple(robots_off)
        self._limits = limits or WebLimits()
        named = HostList(allow_hosts)
        self._egress = Egress(named, mode, HostList(listed), frozenset(ports))
        self._asks_nobody = "*" in off
        self._not_asked = HostList(host for host in off if host != "*")
        self._resolver = resolver
        self._sockets = sockets or httpcore.AnyIOBackend()
        self._tls = tls
        self._opened: Wire | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._large = Large()
        self._robots = RobotsBook(self._robots_txt)

    async def __aenter__(self) -> WebClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._robots.aclose()
        if self._opened is not None:
            await self._opened.aclose()
        self._opened = None

    @property
    def robots(self) -> RobotsBook:
        """What sites let robots read."""
        return self._robots

    def allows(self, url: str) -> bool:
        """Whether a person named this URL's host."""
        return target_of(url).place in self._egress.named

    def check(self, url: str) -> None:
        """Raises FetchError for a URL that is refused by what it says alone."""
        self._egress.check(target_of(url))

    async def get(self, url: str, known: Validators | None = None) -> Download:
        """Read one URL, following at most 5 redirects.

        known: what is kept of it; a server that says that this did not change sends no body.
        """
        return await self.read(url, _itself, known)

    async def read(
        self,
        url: str,
        use: Callable[[Download], Awaitable[T]],
        known: Validators | None = None,
    ) -> T:
        """What `use` makes of a URL's body.

        The body counts as held, against what all fetches may hold together, until `use` is done;
        the limit of time is for the download alone.
        """
        return await self._bounded(url, known or NOTHING_KNOWN, use)

    @property
    def _wire(self) -> Wire:
        """Made when it is first needed: reading the trusted authorities takes a moment."""
        if self._opened is None:
            tls = self._tls or httpx.create_ssl_context(trust_env=False)
            self._opened = Wire(self._egress, self._resolver, tls, self._sockets)
        return self._opened

    async def _bounded(
        self, url: str, known: Validators, use: Callable[[Download], Awaitable[T]]
    ) -> T:
        target = target_of(url)
        self._egress.check(target)
        end = time.monotonic() + self._limits.total_s
        await _within(self._turns.acquire(), end, self._late(url, "it waited for its turn"))
        try:
            with self._large.lease() as lease:
                work = self._follow(target, known, lease)
                return await use(await _within(work, end, self._late(url)))
        finally:
            self._turns.release()

    def _late(self, url: str, why: str = "") -> FetchError:
        told = f" ({why})" if why else ""
        message = f"{url} was not read within {self._limits.total_s:g} seconds{told}."
        return FetchError(message, url, "timeout")

    async def _follow(self, target: Target, known: Validators, lease: Lease) -> Download:
        asked = target
        for _ in range(MAX_REDIRECTS + 1):
            await self._require_leave(target)
            async with self._answer(target, _headers(target, known), self._limits) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response, target, known, lease)
                target = joined(target, headers_of(response).get("location", ""))
        raise _looping(asked)

    async def _require_leave(self, target: Target) -> None:
        """By our own rules first, and then by the site's."""
        self._egress.check(target)
        if not (self._asks_nobody or target.place in self._not_asked):
            await self._robots.require(target)

    @asynccontextmanager
    async def _answer(
        self, target: Target, headers: dict[str, str], limits: WebLimits
    ) -> AsyncIterator[httpcore.Response]:
        """The response's head; its connection is given back in any case."""
        late = FetchError(f"{target.url} did not answer in time.", target.url, "timeout")
        sent = self._wire.send(target, headers, limits.connect_s, limits.read_s)
        response = await _within(sent, time.monotonic() + limits.first_byte_s, late)
        try:
            yield response
        finally:
            await response.aclose()

    async def _read(
        self, response: httpcore.Response, target: Target, known: Validators, lease: Lease
    ) -> Download:
        url, headers = target.url, headers_of(response)
        if response.status == _NOT_MODIFIED and known and known.url == url:
            return Download(url, b"", "", "", known, fresh_s(headers), unchanged=True)
        require_success(response.status, headers, url)
        data = await read_body(response, url, self._limits, lease)
        if not data.strip():
            raise FetchError(f"{url} is empty.", url, "empty")
        media_type, charset = typed(data, headers, url)
        validators = validators_of(url, headers)
        return Download(url, data, media_type, charset, validators, fresh_s(headers))

    async def _robots_txt(self, url: str) -> tuple[int, bytes]:
        """Status and body of a robots.txt, which has limits of its own."""
        late = FetchError(f"{url} did not answer in time.", url, "timeout")
        end = time.monotonic() + ROBOTS_LIMITS.total_s
        return await _within(self._robots_body(url), end, late)

    async def _robots_body(self, url: str) -> tuple[int, bytes]:
        target = target_of(url)
        with self._large.lease() as lease:
            for _ in range(MAX_REDIRECTS + 1):
                async with self._answer(target, _headers(target), ROBOTS_LIMITS) as response:
                    if response.status not in _REDIRECTS:
                        body = read_body(response, url, ROBOTS_LIMITS, lease, cut=True)
                        return response.status, await body
                    target = joined(target, headers_of(response).get("location", ""))
        raise _looping(target_of(url))


def _headers(target: Target, known: Validators = NOTHING_KNOWN) -> dict[str, str]:
    own = {"User-Agent": USER_AGENT, "Accept": ACCEPT, "Accept-Encoding": ACCEPT_ENCODING}
    return {**own, **(known.headers() if target.url == known.url else {})}


def _looping(asked: Target) -> FetchError:
    message = f"{asked.url} redirects more than {MAX_REDIRECTS} times: try another."
    return FetchError(message, asked.url, "unreachable")


async def _within(work: Awaitable[T], end: float, late: FetchError) -> T:
    """Raises `late` when the clock passes `end` before the work is done."""
    try:
        return await asyncio.wait_for(work, max(end - time.monotonic(), 0.001))
    except asyncio.TimeoutError:
        raise late from None


async def _itself(download: Download) -> Download:
    return download
