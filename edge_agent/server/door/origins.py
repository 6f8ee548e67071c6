"""Which web pages may use this server: CORS as llama-server answers it, and names that lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.server.door.binding import is_address, is_loopback
from edge_agent.server.errors import status_response

ALL, LOCAL = "*", "localhost"
HEADER_NAME = re.compile(r"[a-z0-9-]{1,64}")
PREFLIGHT = {
    "Vary": "Origin",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Max-Age": "600",
}


class Origins:
    """ASGI middleware: a page of an allowed origin may read the answers, any other may not.

    An allowed origin is reflected, and every OPTIONS is answered here. own_names_only: 403 for a
    request that calls this machine by a name that is not its own: a page can have a name of its own
    point to this machine, and then no browser sees that it is another site's.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], own_names_only: bool) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._own_names_only = own_names_only and ALL not in self._origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._own_names_only and not self._is_own(host := headers.get("host", "")):
            message = (
                f"This server is not known as {host}: call it localhost or by its address, or name "
                f"http://{host} with --cors-origins."
            )
            await status_response(403, message)(scope, receive, send)
            return
        granted = self.granted(headers.get("origin"))
        if scope["method"] == "OPTIONS":
            wanted = _wanted_headers(headers.get("access-control-request-headers", ""))
            await _answer_preflight(send, {**granted, **PREFLIGHT, **wanted})
        else:
            await self._app(scope, receive, _adding(granted, send))

    def granted(self, origin: str | None) -> dict[str, str]:
        """The headers for a page of this origin."""
        if origin is None or not self._allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
        }

    def _allows(self, origin: str) -> bool:
        if ALL in self._origins or origin in self._origins:
            return True
        return LOCAL in self._origins and is_loopback(_host_of(origin))

    def _is_own(self, host: str) -> bool:
        if not host:  # HTTP/1.0, which no page speaks
            return True
        name = _host_of(f"//{host}")
        if is_address(name) or is_loopback(name):
            return True
        return any(_host_of(origin) == name for origin in self._origins if name)


def _host_of(url: str) -> str:
    """The host of an origin, without its port; "" where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that do not close
        return ""


def _wanted_headers(asked: str) -> dict[str, str]:
    """A star covers neither Authorization nor, with credentials, anything: what a browser asks for
    (always in small letters) is named beside it."""
    names = [name.strip() for name in asked.split(",")]
    named = [name for name in names if HEADER_NAME.fullmatch(name)]
    return {"Access-Control-Allow-Headers": ", ".join(("*", *named))}


def _adding(granted: dict[str, str], send: Send) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Origin")
            headers.update(granted)
        await send(message)

    return adding


async def _answer_preflight(send: Send, headers: dict[str, str]) -> None:
    # in the case that llama-server writes: names have none, but some clients look for it
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send(
        {"type": "http.response.start", "status": 200, "headers": [*raw, (b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})
