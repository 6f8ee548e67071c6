"""Only unicast addresses of the open internet are public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.web.address import ip_of, is_loopback, is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "::127.0.0.1", "::ffff:0:0", "fec0::1",
        "168.63.129.16", "100.100.100.200", "192.0.0.192", "192.88.99.1", "fd00:ec2::254",
        "2606:4700::5efe:127.0.0.1", "2001:0:7f00:1::", "3fff::1", "5f00::1", "203.0.113.7",
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


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("1.2.3.4.", "1.2.3.4"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_an_address_is_read_as_a_browser_reads_it(host: str, address: str) -> None:
    assert str(ip_of(host)) == address


@pytest.mark.parametrize("host", ["example.org", "1.example", "0x7f.example", "a1", "1a"])
def test_a_name_is_no_address(host: str) -> None:
    assert ip_of(host) is None


@pytest.mark.parametrize(
    "host", ["256.1.1.1", "1.2.3.4.5", "08.8.8.8", "1..2", "4294967296", "a.1", "fe80::1%eth0"]
)
def test_what_ends_in_a_number_and_is_no_address_is_an_error(host: str) -> None:
    with pytest.raises(ValueError):
        ip_of(host)


@given(st.ip_addresses(v=4))
def test_every_spelling_of_an_address_is_that_address(ip: ipaddress.IPv4Address) -> None:
    n, (a, b, c, d) = int(ip), ip.packed
    spellings = [f"{n}", f"{n:#x}", f"0{n:o}", f"{a}.{n & 0xFFFFFF}", f"{a:#x}.{b}.{c << 8 | d}"]
    assert {ip_of(spelling) for spelling in spellings} == {ip}


def test_loopback_is_known_in_disguise() -> None:
    assert all(is_loopback(one) for one in ("127.8.0.1", "::1", "::ffff:127.0.0.1"))
    assert not any(is_loopback(one) for one in ("10.0.0.1", "8.8.8.8", "fe80::1"))


async def test_the_system_resolver_knows_this_machine() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)
    with pytest.raises(OSError):
        await resolve("no-such-host.invalid", 80)
