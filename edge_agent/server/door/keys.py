"""Who may ask: API keys, checked before anything of the request is read."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edge_agent.server.errors import status_response

# What llama-server leaves open too: health and models carry no secrets, and probes have no key.
PUBLIC = frozenset(
    {"/", "/health", "/v1/health", "/models", "/v1/models", "/docs", "/openapi.json"}
)


class ApiKeys:
    """ASGI middleware: 401 for a request that carries none of `keys`; no keys let all in."""

    def __init__(self, app: ASGIApp, keys: tuple[str, ...]) -> None:
        self._app = app
        self._keys = tuple(key.encode() for key in keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = self._refusal(scope)
        if message is None:
            await self._app(scope, receive, send)
        else:
            refused = status_response(401, message, {"WWW-Authenticate": "Bearer"})
            await refused(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        if not self._keys or scope["type"] != "http" or scope["path"] in PUBLIC:
            return None
        given = presented_key(Headers(scope=scope))
        if given is None:
            return "This server needs an API key: send the header Authorization: Bearer KEY."
        # latin-1 gives the header's own bytes back;
        # every key is compared, so that time tells nothing about which one was near
        matches = [hmac.compare_digest(given.encode("latin-1"), key) for key in self._keys]
        return None if any(matches) else "The API key is not one of this server's keys."


def presented_key(headers: Headers) -> str | None:
    """The key of `Authorization: Bearer KEY`, or of `x-api-key: KEY`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")
