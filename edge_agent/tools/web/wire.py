"""The only way out: connections to the addresses that were checked, and to no other.

A name is looked up where the connection is made, the addresses are checked there, and the socket is
opened to one of them: there is no second look-up that could answer differently. Connections are
kept for the host's own name, so TLS was verified for whom they are used again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from edge_agent.errors import FetchError
from edge_agent.tools.web.address import MAX_ADDRESSES, Resolver, ip_of
from edge_agent.tools.web.egress import Egress
from edge_agent.tools.web.target import Target

MAX_CONNECTIONS = 200
IDLE_CONNECTIONS = 20
IDLE_S = 5.0


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens sockets by the rules of one Egress. Raises FetchError for what they refuse."""

    def __init__(
        self, egress: Egress, resolver: Resolver, sockets: httpcore.AsyncNetworkBackend
    ) -> None:
        self._egress = egress
        self._resolve = resolver
        self._sockets = sockets

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """To the first of the host's permitted addresses that answers within `timeout` seconds."""
        end = time.monotonic() + (timeout or float("inf"))
        addresses = await self._addresses(host, port, timeout)
        last: Exception = httpcore.ConnectTimeout()
        for address in addresses[:MAX_ADDRESSES]:
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                within = None if timeout is None else left
                return await self._sockets.connect_tcp(address, port, within, None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        ip = ip_of(host)
        if ip is not None:
            return self._egress.permitted(host, port, [str(ip)])
        try:
            found = await asyncio.wait_for(self._resolve(host, port), timeout)
        except asyncio.TimeoutError:
            raise httpcore.ConnectTimeout() from None
        except (OSError, UnicodeError):
            message = f"The host {host} was not found: check the address or the network."
            raise FetchError(message, host, "unreachable") from None
        return self._egress.permitted(host, port, found)

    async def sleep(self, seconds: float) -> None:
        """Between two attempts, of which the pool makes none."""
        await asyncio.sleep(seconds)


class Wire:
    """HTTP/1.1 and HTTP/2 over connections by the rules of one Egress."""

    def __init__(
        self,
        egress: Egress,
        resolver: Resolver,
        tls: ssl.SSLContext,
        sockets: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._egress = egress
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_S,
            http2=True,
            network_backend=CheckedNetwork(egress, resolver, sockets),
        )

    async def send(
        self, target: Target, headers: dict[str, str], connect_s: float, read_s: float
    ) -> httpcore.Response:
        """GET: the head of the response, its body yet to be read. Raises FetchError."""
        self._egress.check(target)
        times = {"connect": connect_s, "read": read_s, "write": read_s}
        request = httpcore.Request(
            "GET",
            httpcore.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode("ascii"),
                port=target.port,
                target=target.path.encode("ascii"),
            ),
            headers=[("Host", target.netloc), *headers.items()],
            extensions={"timeout": times},
        )
        try:
            return await self._pool.handle_async_request(request)
        except FetchError as error:  # of the connection, which knows the host alone
            raise FetchError(str(error), target.url, error.kind) from None
        except Exception as error:
            raise translated(error, target.url) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def translated(error: Exception, url: str) -> FetchError:
    """What went wrong on the wire, as ours. Raises `error` itself when it is none of the wire's."""
    if isinstance(error, httpcore.TimeoutException):
        return FetchError(f"{url} did not answer in time.", url, "timeout")
    if "CERTIFICATE" in str(error).upper():
        return FetchError(f"{url} has a certificate that cannot be trusted.", url, "refused")
    if isinstance(error, (httpcore.ConnectError, ssl.SSLError)):
        return FetchError(f"{url} could not be reached: nothing answers.", url, "unreachable")
    if isinstance(error, (httpcore.NetworkError, httpcore.ProtocolError, OSError)):
        return FetchError(f"{url} broke the connection off ({_said(error)}).", url, "unreachable")
    raise error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
