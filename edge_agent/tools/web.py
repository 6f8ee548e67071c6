"""HTTP GET that a stranger's server cannot misuse: bounded in time and bytes, public hosts only."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from types import TracebackType
from typing import Any

import httpx

from edge_agent import __version__
from edge_agent.errors import FetchError
from edge_agent.tools.address import MAX_ADDRESSES, AllowedHosts, Resolver, is_public, resolve
from edge_agent.tools.inflate import ACCEPT_ENCODING, BrokenStreamError, Inflater, TooLargeError
from edge_agent.tools.media import charset_of, media_type_of

USER_AGENT = f"edge-agent/{__version__}"
ACCEPT = "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.5"
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class WebLimits:
    """Seconds to connect, between two reads and in all; bytes on the wire and again unpacked."""

    connect_s: float = 10.0
    read_s: float = 15.0
    total_s: float = 45.0
    max_bytes: int = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Download:
    """A body as it arrived, unpacked; url is where it was at last, charset a Python codec."""

    url: str
    data: bytes
    media_type: str
    charset: str


class WebClient:
    """GET over http and https.

    A host's addresses are looked up here, checked, and the connection is made to the address that
    was checked, for every redirect anew; addresses that are not public are refused unless the host
    is in `allow_hosts` (`host` or `host:port`). No cookies, no proxies, no credentials. Every
    failure is a FetchError.
    """

    def __init__(
        self,
        allow_hosts: Iterable[str] = (),
        limits: WebLimits | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        self._allowed = AllowedHosts(allow_hosts)
        self._limits = limits or WebLimits()
        self._resolve = resolver
        # A kept connection is found again by its address, but two hosts may share an address and
        # TLS was checked for one of them: so none is kept.
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

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
        await self._transport.aclose()

    def allows(self, url: str) -> bool:
        """Whether a person named this URL's host."""
        parsed = _parse(url)
        return (_host(parsed), _port(parsed)) in self._allowed

    async def get(self, url: str) -> Download:
        """Read one URL, following at most 5 redirects."""
        return await self._bounded(url, self._allowed, ACCEPT)

    async def get_json(self, url: str, params: Mapping[str, str]) -> Any:
        """The JSON at a URL that a person configured, wherever its host is."""
        target = _parse(url).copy_merge_params(params)
        own = AllowedHosts([f"{target.netloc.decode()}", f"{_host(target)}:{_port(target)}"])
        download = await self._bounded(str(target), own, "application/json")
        try:
            return json.loads(download.data)
        except ValueError:
            raise FetchError(
                f"{url} answered with {download.media_type} that is not JSON.", url, "unsupported"
            ) from None

    async def _bounded(self, url: str, allowed: AllowedHosts, accept: str) -> Download:
        try:
            return await asyncio.wait_for(self._follow(url, allowed, accept), self._limits.total_s)
        except asyncio.TimeoutError:
            raise FetchError(
                f"{url} was not read within {self._limits.total_s:g} seconds.", url, "timeout"
            ) from None

    async def _follow(self, url: str, allowed: AllowedHosts, accept: str) -> Download:
        target = _parse(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(target, allowed, accept)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._read(response, str(target))
                target = _next(target, response)
            finally:
                await response.aclose()
        raise FetchError(
            f"{url} redirects more than {MAX_REDIRECTS} times: try another.", url, "unreachable"
        )

    async def _send(self, target: httpx.URL, allowed: AllowedHosts, accept: str) -> httpx.Response:
        """The response's head, from the first address that answers."""
        url = str(target)
        last: httpx.TransportError | None = None
        for address in await self._addresses(target, allowed):
            try:
                return await self._transport.handle_async_request(
                    self._request(target, address, accept)
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error
            except httpx.TransportError as error:
                raise _translated(error, url) from error
        assert last is not None
        raise _translated(last, url) from last

    def _request(self, target: httpx.URL, address: str, accept: str) -> httpx.Request:
        timeout = httpx.Timeout(self._limits.read_s, connect=self._limits.connect_s)
        extensions: dict[str, Any] = {"timeout": timeout.as_dict()}
        if not _is_address(_host(target)):
            extensions["sni_hostname"] = _host(target)
        headers = {
            "Host": target.netloc.decode("ascii"),
            "User-Agent": USER_AGENT,
            "Accept": accept,
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        pinned = target.copy_with(host=address)
        return httpx.Request("GET", pinned, headers=headers, extensions=extensions)

    async def _addresses(self, target: httpx.URL, allowed: AllowedHosts) -> list[str]:
        host, port = _host(target), _port(target)
        try:
            found = [host] if _is_address(host) else await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise FetchError(
                f"The host {host} was not found: check the address or the network.",
                str(target),
                "unreachable",
            ) from None
        kept = found if (host, port) in allowed else [one for one in found if is_public(one)]
        if not kept:
            raise FetchError(
                f"{target} was refused: {host} is not on the open internet; name the host in "
                "allow_hosts to permit it.",
                str(target),
                "refused",
            )
        return kept[:MAX_ADDRESSES]

    async def _read(self, response: httpx.Response, url: str) -> Download:
        _require_success(response, url)
        data = await self._body(response, url)
        if not data.strip():
            raise FetchError(f"{url} is empty.", url, "empty")
        declared = Message()
        declared["content-type"] = response.headers.get("content-type", "")
        given = declared.get_content_type() if response.headers.get("content-type") else ""
        media_type = media_type_of(data, given)
        charset = charset_of(data, str(declared.get_param("charset", "")), media_type)
        return Download(url, data, media_type, charset)

    async def _body(self, response: httpx.Response, url: str) -> bytes:
        limit, wire = self._limits.max_bytes, 0
        try:
            if int(response.headers.get("content-length", "0")) > limit:
                raise TooLargeError
            inflater = Inflater(response.headers.get("content-encoding", ""), limit)
            async for chunk in response.aiter_raw():
                wire += len(chunk)
                if wire > limit:
                    raise TooLargeError
                inflater.feed(chunk)
            return inflater.finish()
        except TooLargeError:
            message = f"{url} is larger than {limit / 2**20:.3g} MiB: read a smaller page instead."
            raise FetchError(message, url, "too_large") from None
        except BrokenStreamError as error:
            raise FetchError(f"{url} sent broken data ({error}).", url, "unreachable") from None
        except ValueError as error:
            message = f"{url} is packed in a way that was not asked for ({error})."
            raise FetchError(message, url, "unsupported") from None
        except httpx.TransportError as error:
            raise _translated(error, url) from error


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip()).copy_with(fragment=None)
        port = parsed.port
    except (httpx.InvalidURL, ValueError, TypeError):
        raise FetchError(f"{url!r} is not a valid URL.", url, "invalid") from None
    if parsed.scheme not in ("http", "https"):
        message = f"{url!r} is not an http or https URL: only those can be read."
        raise FetchError(message, url, "invalid")
    if not parsed.host or port == 0:
        raise FetchError(f"{url!r} names no host.", url, "invalid")
    if parsed.userinfo:
        message = f"{parsed.host} was refused: a URL must not carry a user name or password."
        raise FetchError(message, url, "refused")
    return parsed


def _next(current: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location", "")
    if not location:
        raise FetchError(f"{current} redirects to nowhere.", str(current), "unreachable")
    try:
        joined = current.join(location)
    except (httpx.InvalidURL, ValueError):
        raise FetchError(
            f"{current} redirects to {location!r}, which is not a URL.", str(current), "invalid"
        ) from None
    return _parse(str(joined))


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]").rstrip(".").lower()


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _require_success(response: httpx.Response, url: str) -> None:
    if 200 <= response.status_code < 300:
        return
    try:
        phrase = HTTPStatus(response.status_code).phrase
    except ValueError:
        phrase = "an unknown status"
    wait = response.headers.get("retry-after", "")
    later = f"; try again after {wait}" + (" seconds" if wait.isdecimal() else "") if wait else ""
    raise FetchError(f"{url} answered {response.status_code} ({phrase}){later}.", url, "status")


def _translated(error: httpx.TransportError, url: str) -> FetchError:
    if isinstance(error, httpx.TimeoutException):
        return FetchError(f"{url} did not answer in time.", url, "timeout")
    if "CERTIFICATE" in str(error).upper():
        return FetchError(f"{url} has a certificate that cannot be trusted.", url, "refused")
    if isinstance(error, httpx.ConnectError):
        return FetchError(f"{url} could not be reached: nothing answers.", url, "unreachable")
    return FetchError(f"{url} broke the connection off ({error}).", url, "unreachable")
