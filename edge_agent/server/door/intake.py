"""What may come in: how large a body may be and how slow, and which are taken for JSON."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.server.errors import status_response

SLOWEST = 16 * 1024  # bytes per second of a body, behind its first seconds
SLOW = "The body came too slowly: send the request again."


class Intake:
    """ASGI middleware: 413 past `max_bytes`; bodies are JSON whatever their Content-Type says.

    408 for a body that is not there after `body_s` seconds and one more for each SLOWEST bytes.

    `curl -d` sends JSON as a form, so a wrong type is mended. Not for a browser: a page of another
    site can post a form to this machine without asking, but not JSON, so a request with an
    Origin must say that it is JSON (415 otherwise).
    """

    def __init__(self, app: ASGIApp, max_bytes: int, body_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if int(headers.get("content-length", "0")) > self._max_bytes:
            await status_response(413, self._too_large())(scope, receive, send)
        elif "origin" in headers and not _is_json(headers):
            message = "Send the body as JSON with the header Content-Type: application/json."
            await status_response(415, message)(scope, receive, send)
        else:
            await self._app(_as_json(scope), self._limited(receive), send)

    def _too_large(self) -> str:
        return f"The body is larger than the {self._max_bytes:,} bytes this server reads."

    def _limited(self, receive: Receive) -> Receive:
        taken, whole, clock = 0, False, asyncio.get_running_loop().time
        began = clock()

        async def limited() -> Message:
            nonlocal taken, whole
            if whole:  # what comes now is that the client goes
                return await receive()
            left_s = began + self._body_s + taken / SLOWEST - clock()
            try:
                message = await asyncio.wait_for(receive(), left_s)
            except asyncio.TimeoutError:
                raise HTTPException(408, SLOW) from None
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > self._max_bytes:
                raise HTTPException(413, self._too_large())
            return message

        return limited


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _as_json(scope: Scope) -> Scope:
    mended = {**scope, "headers": list(scope["headers"])}
    MutableHeaders(scope=mended)["content-type"] = "application/json"
    return mended
