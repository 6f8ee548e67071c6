"""How long a connection is kept for a request that does not come, and how many are kept."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 30.0  # from the connection, or from the last answer, to the whole head of a request
MOST_CONNECTIONS = 512  # half of the 1,024 files that a process may usually have open


class Patience(H11Protocol):
    """HTTP/1.1 that ends a connection on which no request begins in time, however it is kept busy:
    by no byte, by one now and then, or by the rest of a body that was refused. More than
    MOST_CONNECTIONS are not taken at all."""

    head_s = HEAD_S
    most = MOST_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()

    def _watch(self) -> None:
        """Count the time in which nothing is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.head_s, self.transport.close)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
