"""How many may be inside at once, for each key."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from edge_agent.errors import EngineBusy
from edge_agent.server.door.keys import PUBLIC
from edge_agent.server.errors import error_response

RETRY_S = 1.0


class Crowd:
    """ASGI middleware behind `ApiKeys`: 429 for a request of a key that has `per_key` others under
    way.

    A stream is under way until its last byte. Without keys all clients share one count. 0 is no
    limit.
    """

    def __init__(self, app: ASGIApp, per_key: int) -> None:
        self._app = app
        self._per_key = per_key
        self._inside: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._per_key or scope["type"] != "http" or scope["path"] in PUBLIC:
            await self._app(scope, receive, send)
            return
        holder = scope["state"]["holder"].id
        if self._inside[holder] >= self._per_key:
            await error_response(self._full())(scope, receive, send)
            return
        self._inside[holder] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside[holder] -= 1
            if not self._inside[holder]:
                del self._inside[holder]

    def _full(self) -> EngineBusy:
        return EngineBusy(
            f"{self._per_key} requests of this key are under way, which is all it may have at "
            "once: send it again when one has ended.",
            RETRY_S,
        )
