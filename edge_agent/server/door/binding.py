"""Where the door stands: on this machine alone, or on the network with a key."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from edge_agent.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own and of no other."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return is_address(name) and ipaddress.ip_address(name.partition("%")[0]).is_loopback


def is_address(host: str) -> bool:
    """Whether a host is given by number, which no name server can point elsewhere."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def stays_here(doors: Sequence[socket.socket]) -> bool:
    """Whether only this machine can reach any of the listening sockets."""
    return all(is_loopback(door.getsockname()[0]) for door in doors)


def refuse_open_doors(
    doors: Sequence[socket.socket], keys: Sequence[str], allow_anyone: bool
) -> None:
    """Raises ConfigError for a door on the network that asks for no key, unless that is meant."""
    if keys or allow_anyone or stays_here(doors):
        return
    open_door = next(door for door in doors if not is_loopback(door.getsockname()[0]))
    raise ConfigError(
        f"Others on the network would reach {open_door.getsockname()[0]} without a key: give one "
        "with --api-key or --api-key-file, or say --allow-anyone."
    )
