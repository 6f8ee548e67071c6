"""Serving an app over HTTP: the socket, uvicorn, and a stop that does not wait for streams."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from edge_agent.errors import ConfigError
from edge_agent.server.door.patience import Patience

GRACE_S = 3
CLEANUP_S = 1
BACKLOG = 128
log = logging.getLogger(__name__)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ConfigError with what to do.

    Taken before a model is loaded, so that a port in use is known at once.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(_why_not(error, host, port)) from None


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: choose another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} is not open to this user: choose one above 1023 with --port."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host."
    return f"{host} port {port} cannot be served: {error.strerror or error}."


def bind_all(hosts: str, port: int) -> tuple[socket.socket, ...]:
    """A listening socket for each of the hosts, which have commas between, all on one port.

    Raises ConfigError, and then listens nowhere.
    """
    with ExitStack() as stack:
        doors: list[socket.socket] = []
        for host in dict.fromkeys(host.strip() for host in hosts.split(",")):
            doors.append(stack.enter_context(bind(host, port)))
            port = doors[0].getsockname()[1]
        stack.pop_all()
    return tuple(doors)


def url_of(listening: socket.socket) -> str:
    """The URL at which a bound socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    listening: Sequence[socket.socket] = (),
    on_ready: Callable[[str], None] | None = None,
    on_stop: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    log_level: str = "info",
    http: type[Patience] = Patience,
) -> None:
    """Serves until SIGTERM, SIGINT or `stop`, then returns; streams are cut after GRACE_S seconds.

    `listening` are sockets from `bind_all`, for a caller that took the port before; `on_ready` is
    told the URL (of the first) once requests are answered; `on_stop` is called when the end begins,
    before what is under way is waited for. `http` is what speaks to a connection.
    """
    doors = [*listening] or [bind(host, port)]
    config = uvicorn.Config(
        app,
        http=http,
        ws="none",
        log_level=log_level,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    server = _Server(config, on_ready, on_stop)
    stopper = asyncio.ensure_future(_stop_on(stop or asyncio.Event(), server))
    try:
        with _signals_end_here():
            await server.serve(sockets=doors)
    finally:
        stopper.cancel()
        for door in doors:
            door.close()


async def _stop_on(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[str], None] | None,
        on_stop: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready and sockets:
            self._on_ready(url_of(sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn cancels what is left after the grace; this also waits for its clean-up."""
        if self._on_stop:
            self._on_stop()
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=CLEANUP_S)


@contextmanager
def _signals_end_here() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it is done. Taking it here lets the
    caller's own clean-up run: without this SIGTERM would end the process at that point."""

    def taken(number: int, frame: FrameType | None) -> None:
        log.debug("stopped by signal %s", number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, taken) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
