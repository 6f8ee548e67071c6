"""What nobody expected is answered here, so that the connection lives on."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.server.errors import error_response

log = logging.getLogger(__name__)


class Surprises:
    """ASGI middleware: 500 for an exception that came before any answer, and a line in the log.

    The app's own handler would raise it again behind its answer, upon which uvicorn closes the
    connection without a word, and a client that keeps its connections loses its next request. One
    that comes when the answer has begun is left to that handler.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if began or scope["type"] != "http":
                raise
            log.exception("%s %s broke", scope["method"], scope["path"])
            await error_response(error)(scope, receive, send)
