"""Only unicast addresses of the open internet are public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.address import AllowedHosts, is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_addresses_inside_a_house_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_disguise(ip: ipaddress.IPv4Address) -> None:
    disguises = [f"::ffff:{ip}", str(ipaddress.IPv6Address((0x64FF9B << 96) | int(ip)))]
    for disguise in disguises:
        assert not is_public(disguise) or is_public(str(ip))


def test_allowed_hosts_are_named_with_or_without_a_port() -> None:
    allowed = AllowedHosts(["Printer.local", "127.0.0.1:8080", "[::1]:9000"])
    assert ("printer.local", 80) in allowed and ("printer.local", 443) in allowed
    assert ("127.0.0.1", 8080) in allowed and ("127.0.0.1", 8081) not in allowed
    assert ("::1", 9000) in allowed and ("::1", 9001) not in allowed
    assert ("local", 80) not in allowed


async def test_the_system_resolver_knows_this_machine() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)
    with pytest.raises(OSError):
        await resolve("no-such-host.invalid", 80)
