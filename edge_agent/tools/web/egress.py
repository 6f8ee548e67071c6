"""What may leave the device: which hosts, which ports, and which addresses behind a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.errors import ConfigError, FetchError
from edge_agent.tools.web.address import is_loopback, is_public
from edge_agent.tools.web.target import Target, target_of

Mode: TypeAlias = Literal["open", "allow-list", "offline"]
PORTS = frozenset({80, 443})
# names that no public server has: RFC 6761, 6762, 7686, 8375, 9476 and the resolvers of networks
_LOCAL_NAMES = frozenset(
    {"localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain", "onion"}
    | {"alt", "invalid", "corp", "home"}
)


_NAME_IT = "name the host in allow_hosts to permit it"
_NOT_OPEN = f"is not on the open internet; {_NAME_IT}"


class HostList:
    """Hosts a person named.

    An entry is `host` (every port), `host:port`, or `*.host` for everything below a name; an IPv6
    address with a port stands in brackets. Raises ConfigError for an entry that is none of these.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[tuple[str, int | None]] = set()
        self._below: set[tuple[str, int | None]] = set()
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        wild = entry.startswith("*.")
        name = entry.removeprefix("*.")
        if name.count(":") > 1 and not name.startswith("["):
            name = f"[{name}]"
        try:
            target = target_of(f"http://{name}/")
        except FetchError:
            target = None
        if target is None or set(name) & set("/?#@ "):
            message = f"{entry!r} is not a host: write it as example.org or example.org:8080."
            raise ConfigError(message)
        port = target.port if name.rpartition("]")[2].partition(":")[2] else None
        (self._below if wild else self._hosts).add((target.host, port))

    def __contains__(self, place: tuple[str, int]) -> bool:
        host, own = place
        ports = (None, own)
        if any((host, port) in self._hosts for port in ports):
            return True
        labels = host.split(".")
        above = (".".join(labels[i:]) for i in range(1, len(labels)))
        return any((name, port) in self._below for name in above for port in ports)


@dataclass(frozen=True, slots=True)
class Egress:
    """The rules of one door.

    named: hosts that a person named: reached wherever they are, also on this machine, on any port.
    listed: in the mode `allow-list`, the only others. In the mode `offline` only named hosts on
    this machine are reached.
    """

    named: HostList
    mode: Mode = "open"
    listed: HostList = HostList()  # noqa: RUF009 - empty and never changed
    ports: frozenset[int] = PORTS

    def check(self, target: Target) -> None:
        """Raises FetchError when the name alone is reason enough to refuse."""
        if target.place in self.named:
            return
        why = self._against(target)
        if why:
            raise FetchError(f"{target.url} was refused: {why}.", target.url, "refused")

    def _against(self, target: Target) -> str:
        if self.mode == "offline":
            return "the device is set to stay offline"
        if self.mode == "allow-list" and target.place not in self.listed:
            return f"{target.host} is not on the list of hosts that may be reached"
        if target.port not in self.ports:
            return f"port {target.port} is not one of the web's; {_NAME_IT}"
        if _is_local(target):
            return f"{target.host} {_NOT_OPEN}"
        return ""

    def permitted(self, host: str, port: int, addresses: Sequence[str]) -> list[str]:
        """Those of a name's addresses that may be connected to. Raises FetchError for none."""
        if (host, port) not in self.named:
            kept = [one for one in addresses if is_public(one)]
        elif self.mode == "offline":
            kept = [one for one in addresses if is_loopback(one)]
        else:
            kept = list(addresses)
        if kept:
            return kept
        why = "the device is set to stay offline" if self.mode == "offline" else f"it {_NOT_OPEN}"
        raise FetchError(f"{host} was refused: {why}.", host, "refused")


def _is_local(target: Target) -> bool:
    """Names and addresses that need no look-up to be known as not public."""
    if target.is_address:
        return not is_public(target.host)
    labels = target.host.split(".")
    return any(".".join(labels[i:]) in _LOCAL_NAMES for i in range(len(labels)))
