"""Who may ask: API keys, checked before anything of the request is read."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edge_agent.server.door.holder import Holder, id_of
from edge_agent.server.errors import status_response

# What llama-server leaves open too: health and models carry no secrets, and probes have no key.
PUBLIC = frozenset(
    {"/", "/health", "/v1/health", "/models", "/v1/models", "/docs", "/openapi.json"}
)
BLANKS = " \t"  # of HTTP; those of Unicode are bytes of a key
MISSING = "This server needs an API key: send the header Authorization: Bearer KEY."
WRONG = "The API key is not one of this server's keys."
SEVERAL = "The request has more than one header with a key: send one."


class ApiKeys:
    """ASGI middleware: 401 for a request that carries none of `keys`; no keys let all in.

    What is let in has its Holder in the scope's state.
    """

    def __init__(self, app: ASGIApp, keys: tuple[str, ...]) -> None:
        self._app = app
        alone = len(set(keys)) == 1
        self._holders = {key: Holder(id_of(key), alone) for key in map(str.encode, keys)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        holder = self._holder(scope)
        if isinstance(holder, Holder):
            scope.setdefault("state", {})["holder"] = holder
            await self._app(scope, receive, send)
        else:
            refused = status_response(401, holder, {"WWW-Authenticate": "Bearer"})
            await refused(scope, receive, send)

    def _holder(self, scope: Scope) -> Holder | str:
        """Who asks, or why nobody is let in."""
        if not self._holders or scope["path"] in PUBLIC:
            return Holder()
        headers = Headers(scope=scope)
        # a proxy in front may have looked at another of them than this server would
        if any(len(headers.getlist(name)) > 1 for name in ("authorization", "x-api-key")):
            return SEVERAL
        given = presented_key(headers)
        if not given:
            return MISSING
        # every key is compared, so that time tells nothing about which one was near
        found = [self._holders[key] for key in self._holders if hmac.compare_digest(given, key)]
        return found[0] if found else WRONG


def presented_key(headers: Headers) -> bytes:
    """The key of `Authorization: Bearer KEY`, or of `x-api-key: KEY`; empty without one."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    bearer = key.strip(BLANKS) if scheme.lower() == "bearer" else ""
    return (bearer or headers.get("x-api-key", "")).encode("latin-1")  # the header's own bytes
