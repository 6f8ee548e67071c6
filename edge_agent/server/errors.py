"""From our errors to HTTP: one table, one shape, and nothing of the inside to the client."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from edge_agent.errors import (
    Conflict,
    ContextOverflow,
    EdgeAgentError,
    EngineBusy,
    EngineCrashed,
    EngineError,
    ModelLoadError,
    NotFound,
    NotSupported,
    RequestError,
    ToolError,
)
from edge_agent.server.output import JsonResponse

# The first class that fits decides: status, OpenAI's (and llama-server's) name for the kind.
TABLE: tuple[tuple[type[Exception], int, str], ...] = (
    (ContextOverflow, 400, "exceed_context_size_error"),
    (NotSupported, 501, "not_supported_error"),
    (RequestError, 400, "invalid_request_error"),
    (NotFound, 404, "not_found_error"),
    (Conflict, 409, "conflict_error"),
    (EngineBusy, 429, "rate_limit_error"),
    (EngineCrashed, 503, "unavailable_error"),
    (ModelLoadError, 503, "unavailable_error"),
    (EngineError, 500, "server_error"),
    (ToolError, 502, "tool_error"),
    (EdgeAgentError, 500, "server_error"),
    (Exception, 500, "server_error"),
)
TYPES = {401: "authentication_error", 404: "not_found_error", 503: "unavailable_error"}
UNEXPECTED = "Something went wrong inside the server; its log says what."


def shape(status: int, message: str, kind: str | None = None, **more: Any) -> dict[str, Any]:
    """`{"error": {...}}` as OpenAI's clients read it."""
    fallback = "server_error" if status >= 500 else "invalid_request_error"
    kind = kind or TYPES.get(status, fallback)
    return {"error": {"code": status, "message": message, "type": kind, **more}}


def error_body(error: Exception) -> dict[str, Any]:
    """The shape of any exception; one that is not ours shows nothing of itself."""
    status, kind = next((s, k) for cls, s, k in TABLE if isinstance(error, cls))
    message = str(error) if isinstance(error, EdgeAgentError) else UNEXPECTED
    return shape(status, message, kind, **_details(error))


def _details(error: Exception) -> dict[str, Any]:
    if isinstance(error, ContextOverflow):
        return {
            "param": error.param,
            "n_prompt_tokens": error.n_prompt_tokens,
            "n_ctx": error.n_ctx,
        }
    if isinstance(error, RequestError) and error.param:
        return {"param": error.param}
    return {}


def error_response(error: Exception) -> JsonResponse:
    """The status and body of an exception, with Retry-After (whole seconds) where it is known."""
    body = error_body(error)
    retry = error.retry_after_s if isinstance(error, EngineBusy) else None
    headers = {"Retry-After": str(max(1, math.ceil(retry)))} if retry is not None else None
    return JsonResponse(body, status_code=body["error"]["code"], headers=headers)


def status_response(
    status: int, message: str, headers: dict[str, str] | None = None
) -> JsonResponse:
    """An error that has no exception of its own."""
    return JsonResponse(shape(status, message), status_code=status, headers=headers)


Names = Sequence[tuple[str, str]]


def renamed(error: RequestError, names: Names) -> RequestError:
    """An error about a field of a chat completion in the words of another route.

    names: of fields there, each with its name here. An error that names no field stays as it is.
    """
    message, param = str(error), error.param
    for theirs, ours in names if param else ():
        message, param = message.replace(theirs, ours), param and param.replace(theirs, ours)
    error.args, error.param = (message,), param
    return error


def install(app: FastAPI) -> None:
    """Every error of `app` leaves in the one shape."""

    async def known(request: Request, error: Exception) -> JsonResponse:
        return error_response(error)

    app.add_exception_handler(EdgeAgentError, known)
    app.add_exception_handler(Exception, known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _invalid(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, RequestValidationError)
    message, param = sentence(error.errors())
    return JsonResponse(shape(400, message, **({"param": param} if param else {})), 400)


async def _http(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    where = f"{request.method} {request.url.path}"
    known = {
        400: "The body could not be read as JSON: send a JSON object in UTF-8.",
        404: f"There is no route {where}: GET / lists what there is.",
        405: f"{where} is not possible: this route takes {(headers or {}).get('Allow', 'others')}.",
    }
    message = known.get(error.status_code, str(error.detail))
    return status_response(error.status_code, message, headers)


def sentence(errors: Sequence[Any]) -> tuple[str, str | None]:
    """One sentence for a failed validation, and the field it is about."""
    first = errors[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be parsed")
        at = first["loc"][-1]
        return f"The body is not valid JSON: {reason} (at character {at}).", None
    field = field_path(first["loc"])
    if not field:
        return "The body must be a JSON object.", None
    if first["type"] == "missing":
        return f"{field}: this field is required.", field
    if first["type"] == "too_short":
        return f"{field}: it must not be empty.", field
    if first["type"] == "extra_forbidden":
        return f"{field}: there is no such field here.", field
    return f"{field}: {first['msg'].removeprefix('Value error, ')}.", field


def field_path(loc: Sequence[str | int]) -> str:
    """("body", "messages", 0, "content", "<list>") -> "messages[0].content"."""
    path = ""
    for part in loc[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
    return path
