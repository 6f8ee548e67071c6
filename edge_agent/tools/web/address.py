"""What an address is: where names lead, and which addresses lie on the open internet."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""host and port -> addresses in order of preference; raises OSError when there are none."""

MAX_ADDRESSES = 3  # tried in turn when one does not answer

_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291 2.5.5.1, out of use
# Not on the open internet, whatever the running Python's tables say (they differ by version):
# RFC 6890 and its successors, the clouds' own services at public addresses, and what is out of use.
_CLOSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # Azure's own services, inside its machines
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)
_GLOBAL6 = ipaddress.ip_network("2000::/3")  # all that is allocated of IPv6 to the open internet
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214: before the last 32 bits, an IPv4 address
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an address is a unicast address of the open internet.

    Loopback, private, link-local, shared, multicast, reserved and unspecified addresses are not,
    nor is an IPv6 address that only carries such an IPv4 address (mapped, compatible, 6to4, Teredo,
    NAT64, ISATAP).
    """
    ip = ipaddress.ip_address(address)
    return all(_is_open(one) for one in (ip, *_carried(ip)))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    ip = ipaddress.ip_address(address)
    return ip.is_loopback or any(one.is_loopback for one in _carried(ip))


def _is_open(ip: IPAddress) -> bool:
    if any(ip in net for net in _CLOSED if net.version == ip.version):
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL6:
        return ip in _NAT64[0]  # judged by the IPv4 address in it
    return ip.is_global and not ip.is_multicast


def _carried(ip: IPAddress) -> list[IPAddress]:
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    carried: list[IPAddress] = [ip4 for ip4 in (ip.ipv4_mapped, ip.sixtofour) if ip4 is not None]
    if ip.teredo is not None:
        carried.extend(ip.teredo)
    if any(ip in net for net in _NAT64) or (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP:
        carried.append(last)
    if ip in _IPV4_COMPATIBLE and int(ip) > 1:
        carried.append(last)
    return carried


def ip_of(host: str) -> IPAddress | None:
    """The address that a URL's host spells, or None for a name.

    IPv4 addresses are read as browsers read them: one to four numbers, decimal, octal or
    hexadecimal, the last one filling what is left. Raises ValueError for a host that ends in a
    number and is no address, and for one with a zone.
    """
    if ":" in host:
        ip = ipaddress.IPv6Address(host)
        if ip.scope_id is not None:
            raise ValueError("an address with a zone")
        return ip
    parts = host.rstrip(".").split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    return ipaddress.IPv4Address(_packed([_number(part) for part in parts]))


def _number(part: str) -> int:
    """Raises ValueError."""
    if not _NUMBER.fullmatch(part):
        raise ValueError(part)
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    return int(part, 8) if part[0] == "0" else int(part)


def _packed(numbers: list[int]) -> int:
    *first, last = numbers
    room = 4 - len(first)
    if len(numbers) > 4 or any(n > 255 for n in first) or last >= 256**room:
        raise ValueError("not an IPv4 address")
    return last + sum(n << (8 * (3 - i)) for i, n in enumerate(first))
