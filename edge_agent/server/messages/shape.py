"""Errors of the Messages API leave in Anthropic's shape, wherever they were raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.server.errors import error_response
from edge_agent.server.output import to_json

PATHS = frozenset({"/v1/messages", "/v1/messages/count_tokens"})
# Anthropic's names by status; the others are invalid_request_error below 500, api_error above.
KINDS: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        529: "overloaded_error",
    }
)
# Anthropic's API has no 501, and llama-server answers a feature it lacks with 500 there.
STATUSES: Mapping[int, int] = MappingProxyType({501: 500})


def reshaped(body: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's error object as Anthropic's."""
    error = body["error"]
    status = error["code"]
    kind = KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    more = {key: value for key, value in error.items() if key not in ("code", "type", "message")}
    return {"type": "error", "error": {"type": kind, "message": error["message"], **more}}


class AnthropicErrors:
    """ASGI middleware, to stand around the doors: what they and the routes refuse is reshaped."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
            return
        reshaping = _Reshaping(send)
        try:
            await self._app(scope, receive, reshaping)
        except Exception as error:  # else it would be answered outside of all middleware
            if not reshaping.started:
                await error_response(error)(scope, receive, reshaping)
            raise


class _Reshaping:
    """Holds a JSON answer of 400 and above back until it is whole; all else passes at once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None  # of an answer that is held back
        self._body = b""
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        if message["type"] == "http.response.start" and _is_error(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._answer(self._start)

    async def _answer(self, start: Message) -> None:
        body = _reshaped_bytes(self._body)
        status = STATUSES.get(start["status"], start["status"])
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-length"] = str(len(body))
        if status != start["status"]:
            headers["x-should-retry"] = "false"  # the official clients would try again
        await self._send({**start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _is_error(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] >= 400 and kind.startswith("application/json")


def _reshaped_bytes(body: bytes) -> bytes:
    try:
        return to_json(reshaped(json.loads(body)))
    except (ValueError, KeyError, TypeError):  # not in the shape that our errors have
        return body
