"""Where the door stands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from edge_agent.errors import ConfigError
from edge_agent.server.app import create_app
from edge_agent.server.door.binding import is_loopback, refuse_open_doors, stays_here
from edge_agent.server.serve import bind, bind_all, serve, url_of
from edge_agent.server.services import Services
from tests.patience import HANG_S
from tests.server.fakes import FakeAgent, FakeChat


def second_address() -> str:
    """Another address of this machine: macOS has no 127.0.0.2, some containers no ::1."""
    for host in ("127.0.0.2", "::1"):
        try:
            bind(host, 0).close()
        except ConfigError:
            continue
        return host
    pytest.skip("this machine has one loopback address")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def doors(stack: ExitStack, hosts: str) -> tuple[socket.socket, ...]:
    bound = bind_all(hosts, 0)
    for door in bound:
        stack.enter_context(door)
    return bound


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name_and_number(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_several_addresses_share_one_port(stack: ExitStack) -> None:
    first, second = doors(stack, f"127.0.0.1, {second_address()}")
    assert first.getsockname()[1] == second.getsockname()[1] != 0
    assert stays_here((first, second))


def test_one_address_that_cannot_be_had_leaves_none_taken() -> None:
    with bind_all("127.0.0.1", 0)[0] as door:
        port = door.getsockname()[1]
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        bind_all("127.0.0.1,192.0.2.1", port)
    with bind_all("127.0.0.1", port)[0]:
        pass


@pytest.mark.parametrize(
    ("hosts", "keys", "anyone", "refused"),
    [
        ("127.0.0.1", (), False, False),
        ("0.0.0.0", (), False, True),
        ("0.0.0.0", ("one",), False, False),
        ("0.0.0.0", (), True, False),
        ("localhost", (), False, False),
    ],
)
def test_a_door_on_the_network_needs_a_key_or_a_word(
    stack: ExitStack, hosts: str, keys: tuple[str, ...], anyone: bool, refused: bool
) -> None:
    bound = doors(stack, hosts)
    if not refused:
        refuse_open_doors(bound, keys, anyone)
        return
    with pytest.raises(ConfigError, match="--allow-anyone"):
        refuse_open_doors(bound, keys, anyone)


async def test_every_address_is_answered_and_free_again_afterwards() -> None:
    hosts = ("127.0.0.1", second_address())
    bound, stop = bind_all(",".join(hosts), 0), asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    app = create_app(Services(FakeChat(), FakeAgent()))
    serving = asyncio.ensure_future(
        serve(app, listening=bound, on_ready=ready.set_result, stop=stop, log_level="critical")
    )
    port = httpx.URL(await asyncio.wait_for(ready, HANG_S)).port
    async with httpx.AsyncClient() as client:
        for url in map(url_of, bound):
            assert url.endswith(f":{port}")
            assert (await client.get(f"{url}/health")).status_code == 200
    stop.set()
    await asyncio.wait_for(serving, HANG_S)
    assert port
    for door in bind_all(",".join(hosts), port):
        door.close()
