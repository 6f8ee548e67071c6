"""A real HTTP server on a free port of the loopback address, one per test that asks for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import pytest

from edge_agent.server.app import create_app
from edge_agent.server.serve import serve
from edge_agent.server.services import Services

Serving = Callable[[Services], str]


@contextmanager
def running(services: Services) -> Iterator[str]:
    """The URL of a server that stops when the block ends."""
    ready: Future[tuple[str, Callable[[], None]]] = Future()

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def stopper() -> None:
            loop.call_soon_threadsafe(stop.set)

        def tell(url: str) -> None:
            ready.set_result((url, stopper))

        await serve(create_app(services), port=0, on_ready=tell, stop=stop, log_level="critical")

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    url, stop = ready.result(timeout=10)
    try:
        yield url
    finally:
        stop()
        thread.join(timeout=10)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        yield lambda services: stack.enter_context(running(services))


def eventually(condition: Callable[[], bool], seconds: float = 3.0) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
