"""From the settings to the door: sockets, keys, origins."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from edge_agent.cli.door_options import keys_of
from edge_agent.config import Settings
from edge_agent.errors import ConfigError
from edge_agent.server.door.binding import refuse_open_doors, stays_here
from edge_agent.server.serve import bind_all
from edge_agent.server.services import Door

EVERYWHERE, HERE = ("*",), ("localhost",)


@contextmanager
def opened_doors(settings: Settings) -> Iterator[tuple[socket.socket, ...]]:
    """The listening sockets; raises ConfigError for one that is open to strangers."""
    keys = all_keys(settings)
    with ExitStack() as stack:
        doors = bind_all(settings.host, settings.port)
        for door in doors:
            stack.enter_context(door)
        refuse_open_doors(doors, keys, settings.allow_anyone)
        yield doors


def all_keys(settings: Settings) -> tuple[str, ...]:
    """Those given and those in the file. Raises ConfigError for a file without any, and for a key
    that is empty: it would be no key, and mean that there is one."""
    given = [key.strip() for key in settings.api_key]
    if not all(given):
        raise ConfigError("An API key is empty: give one with --api-key, or leave it out.")
    return tuple(dict.fromkeys((*given, *keys_of(settings.api_key_file))))


def door_of(settings: Settings, doors: Sequence[socket.socket]) -> Door:
    """Who may come in. The agent's tools reach the web and the libraries, so pages of other sites
    stay out unless they have a key; --tools keeps them out even then, as llama-server does."""
    keys = all_keys(settings)
    guarded = keys and not settings.tools and not settings.mcp_servers_config
    return Door(
        origins=settings.cors_origins or (EVERYWHERE if guarded else HERE),
        per_key=settings.requests_per_key,
        own_names_only=not keys and stays_here(doors),
    )
