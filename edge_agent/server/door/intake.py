"""What may come in: how large a body may be, and which bodies are taken for JSON."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.server.errors import status_response


class Intake:
    """ASGI middleware: 413 past `max_bytes`; bodies are JSON whatever their Content-Type says.

    `curl -d` sends JSON as a form, so a wrong type is mended. Not for a browser: a page of another
    site can post a form to this machine without asking, but not JSON, so a request with an
    Origin must say that it is JSON (415 otherwise).
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

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
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
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
