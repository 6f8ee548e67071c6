"""Which hosts may be reached, by the rules of one door."""

from __future__ import annotations

import pytest

from edge_agent.errors import ConfigError, FetchError
from edge_agent.tools.web.egress import Egress, HostList, Mode
from edge_agent.tools.web.target import target_of

PUBLIC = "93.184.216.34"


def test_hosts_are_named_with_or_without_a_port() -> None:
    named = HostList(["Printer.local", "127.0.0.1:8080", "[::1]:9000", "fe80::7", "0x7f.2:80"])
    assert ("printer.local", 80) in named and ("printer.local", 443) in named
    assert ("127.0.0.1", 8080) in named and ("127.0.0.1", 8081) not in named
    assert ("::1", 9000) in named and ("::1", 9001) not in named
    assert ("fe80::7", 1) in named and ("127.0.0.2", 80) in named
    assert ("127.0.0.2", 81) not in named and ("local", 80) not in named


def test_a_star_names_what_is_below_and_not_the_name_itself() -> None:
    named = HostList(["*.example.org", "*.example.net:8080"])
    assert ("en.example.org", 443) in named and ("a.b.example.org", 1) in named
    assert ("example.org", 443) not in named and ("badexample.org", 443) not in named
    assert ("a.example.net", 8080) in named and ("a.example.net", 80) not in named


@pytest.mark.parametrize("entry", ["", "a b", "http://a.example/", "a.example/path", "*", "a:x"])
def test_what_is_no_host_is_told_when_the_settings_are_read(entry: str) -> None:
    with pytest.raises(ConfigError, match="is not a host"):
        HostList([entry])


@pytest.mark.parametrize(
    ("mode", "url", "reached"),
    [
        ("open", "http://a.example/", True),
        ("open", "https://a.example:443/", True),
        ("open", "http://a.example:22/", False),
        ("open", "http://named.example:22/", True),
        ("open", "http://printer.local/", False),
        ("open", "http://metadata.google.internal/", False),
        ("allow-list", "https://a.example/", False),
        ("allow-list", "https://listed.example/", True),
        ("allow-list", "https://listed.example:8443/", False),
        ("allow-list", "http://named.example:22/", True),
        ("offline", "https://a.example/", False),
        ("offline", "https://listed.example/", False),
        ("offline", "http://named.example:22/", True),
    ],
)
def test_a_name_is_judged_by_the_mode(mode: Mode, url: str, reached: bool) -> None:
    egress = Egress(HostList(["named.example"]), mode, HostList(["listed.example"]))
    if reached:
        egress.check(target_of(url))
        return
    with pytest.raises(FetchError) as caught:
        egress.check(target_of(url))
    assert caught.value.kind == "refused"


def test_only_addresses_that_may_be_reached_are_left() -> None:
    egress = Egress(HostList(["named.example"]))
    assert egress.permitted("a.example", 80, ["10.0.0.1", PUBLIC]) == [PUBLIC]
    assert egress.permitted("named.example", 80, ["10.0.0.1", PUBLIC]) == ["10.0.0.1", PUBLIC]
    offline = Egress(HostList(["named.example"]), "offline")
    assert offline.permitted("named.example", 80, [PUBLIC, "127.0.0.1"]) == ["127.0.0.1"]
    for rules, host in ((egress, "a.example"), (offline, "named.example")):
        with pytest.raises(FetchError, match="refused"):
            rules.permitted(host, 80, ["192.168.1.1"])
