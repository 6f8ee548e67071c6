"""Server-sent events out, and work that ends when the client goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edge_agent.errors import EdgeAgentError
from edge_agent.server.errors import error_body, shape
from edge_agent.server.output import JsonResponse, to_json

T = TypeVar("T")
U = TypeVar("U")
Frames = AsyncGenerator[bytes, None]

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
HEARTBEAT = b": still here\n\n"
DONE = b"data: [DONE]\n\n"  # the end of OpenAI's streams
STOPPING = shape(503, "The server is stopping; send the request again later.")
log = logging.getLogger(__name__)


class ClientGoneError(Exception):
    """The client closed the connection; there is nobody to answer."""


def frame(data: Any, event: str | None = None) -> bytes:
    """One server-sent event holding `data` as JSON."""
    head = f"event: {event}\n".encode() if event else b""
    return b"%sdata: %s\n\n" % (head, to_json(data))


def named(event: dict[str, Any]) -> bytes:
    """An event under the name of its type."""
    return frame(event, event["type"])


async def fed(
    items: AsyncGenerator[T, None], feed: Callable[[T], Iterable[U]]
) -> AsyncGenerator[U, None]:
    """What a machine makes of each item; closing it closes `items`."""
    async with aclosing(items):
        async for item in items:
            for made in feed(item):
                yield made


async def framed(
    items: AsyncGenerator[T, None], write: Callable[[T], bytes] = frame, end: bytes = b""
) -> Frames:
    """Each item as `write` has it, then `end`; closing it closes `items`."""
    async with aclosing(items):
        async for item in items:
            yield write(item)
    if end:
        yield end


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` returns or raises; ClientGoneError when the client goes first."""
    worker = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({worker, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            return worker.result()
        raise ClientGoneError
    finally:
        await _stop(worker, watcher)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def answer(request: Request, work: Awaitable[Response]) -> Response:
    """The response `work` makes; 499, that nobody reads, when the client goes before.

    A request is cancelled only when the server stops: then the answer is a 503.
    """
    try:
        return await while_connected(request.receive, work)
    except ClientGoneError:
        return Response(status_code=499)
    except asyncio.CancelledError:
        return JsonResponse(STOPPING, status_code=503)


async def event_stream(
    request: Request,
    frames: Frames,
    heartbeat_s: float,
    on_error: Callable[[dict[str, Any]], bytes] = frame,
    heartbeat: bytes = HEARTBEAT,
) -> Response:
    """A stream that starts with its first frame: what is raised before becomes a status.

    An error after that is written as `on_error(body)` and ends the stream. `heartbeat`, by default
    a comment, is sent every `heartbeat_s` seconds, so that proxies keep a quiet stream open.
    `frames` is closed the moment the client goes.
    """

    async def opened() -> Response:
        first = await anext(frames, b"")
        return EventStream(first, frames, heartbeat_s, on_error, heartbeat)

    return await answer(request, opened())


class EventStream(Response):
    """The response of `event_stream`; it owns `frames` and closes them."""

    def __init__(
        self,
        first: bytes,
        frames: Frames,
        heartbeat_s: float,
        on_error: Callable[[dict[str, Any]], bytes],
        heartbeat: bytes = HEARTBEAT,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._first = first
        self._frames = frames
        self._heartbeat_s = heartbeat_s
        self._on_error = on_error
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        async with aclosing(self._frames):
            await send({"type": "http.response.start", **start})
            try:
                await while_connected(receive, self._write(send))
            except ClientGoneError:
                return
            except asyncio.CancelledError:
                await _send(send, self._on_error(STOPPING))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send) -> None:
        heart = asyncio.ensure_future(self._beat(send))
        try:
            await _send(send, self._first)
            async for body in self._frames:
                await _send(send, body)
        except Exception as error:
            if not isinstance(error, EdgeAgentError):
                log.exception("A stream broke")
            await _send(send, self._on_error(error_body(error)))
        finally:
            await _stop(heart)

    async def _beat(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await _send(send, self._heartbeat)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
