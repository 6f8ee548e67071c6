"""A real HTTP server on a free port of the loopback address, one per test that asks for it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from edge_agent.server.app import create_app
from edge_agent.server.door.patience import Patience
from edge_agent.server.serve import serve
from edge_agent.server.services import Services
from tests.patience import HANG_S

Serving = Callable[[Services], str]


@contextmanager
def running(services: Services, http: type[Patience] = Patience) -> Iterator[str]:
    """The URL of a server that stops when the block ends. http: how long it waits, for how many."""
    ready: Future[tuple[str, Callable[[], None]]] = Future()

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def stopper() -> None:
            loop.call_soon_threadsafe(stop.set)

        def tell(url: str) -> None:
            ready.set_result((url, stopper))

        app = create_app(services)
        await serve(app, port=0, on_ready=tell, stop=stop, log_level="critical", http=http)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    url, stop = ready.result(timeout=HANG_S)
    try:
        yield url
    finally:
        stop()
        thread.join(timeout=HANG_S)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        yield lambda services: stack.enter_context(running(services))


def eventually(condition: Callable[[], bool], seconds: float = HANG_S) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def leave(url: str, path: str, body: Any, once: Callable[[], bool]) -> None:
    """Ask, and hang up without a word of the answer as soon as `once` is true."""
    at, data = httpx.URL(url), json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {at.host}:{at.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((at.host, at.port or 80)) as line:
        line.sendall(head.encode() + data)
        assert eventually(once), "it was never asked"
