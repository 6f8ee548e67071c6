"""Which hosts may be connected to: names become addresses here, and the address is what counts."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""host and port -> addresses in order of preference; raises OSError when there are none."""

MAX_ADDRESSES = 3  # tried in turn when one does not answer
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an address is a unicast address of the open internet.

    Loopback, private, link-local, shared, multicast, reserved and unspecified addresses are not,
    nor is an IPv6 address that only carries such an IPv4 address (mapped, 6to4, Teredo, NAT64).
    """
    ip = ipaddress.ip_address(address)
    return all(one.is_global and not one.is_multicast for one in (ip, *_carried(ip)))


def _carried(ip: IPAddress) -> list[IPAddress]:
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    carried: list[IPAddress] = [ip4 for ip4 in (ip.ipv4_mapped, ip.sixtofour) if ip4 is not None]
    if ip.teredo is not None:
        carried.extend(ip.teredo)
    if ip in _NAT64:
        carried.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return carried


class AllowedHosts:
    """Hosts a person named: reached wherever they are, also on this machine.

    An entry is `host` (every port) or `host:port`; an IPv6 address stands in brackets.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = frozenset(entry.strip().lower() for entry in entries)

    def __contains__(self, host_and_port: tuple[str, int]) -> bool:
        host, port = host_and_port
        name = f"[{host}]" if ":" in host else host
        return bool({name, host, f"{name}:{port}"} & self._entries)
