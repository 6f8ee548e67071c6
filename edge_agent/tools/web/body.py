"""The body of a response, read within limits and unpacked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

import httpcore

from edge_agent.errors import FetchError
from edge_agent.tools.read.charset import charset_of
from edge_agent.tools.read.media import media_type_of
from edge_agent.tools.web.freshness import NOTHING_KNOWN, Validators
from edge_agent.tools.web.inflate import BrokenStreamError, Inflater, TooLargeError
from edge_agent.tools.web.limits import MIB, CrowdedError, Lease, WebLimits
from edge_agent.tools.web.wire import translated


@dataclass(frozen=True, slots=True)
class Download:
    """A body as it arrived, unpacked; url is where it was at last, charset a Python codec.

    fresh_s: how long the server lets it be used again; None when it must not be kept. unchanged:
    it is what was known before, and there is no body.
    """

    url: str
    data: bytes
    media_type: str
    charset: str
    validators: Validators = NOTHING_KNOWN
    fresh_s: float | None = 0.0
    unchanged: bool = False


def headers_of(response: httpcore.Response) -> dict[str, str]:
    """Names in lower case; of a header that came twice the last one."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def require_success(status: int, headers: Mapping[str, str], url: str) -> None:
    """Raises FetchError for a status that brings no page."""
    if 200 <= status < 300:
        return
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    wait = " ".join(headers.get("retry-after", "").split())[:40]
    later = f"; try again after {wait}" + (" seconds" if wait.isdecimal() else "") if wait else ""
    raise FetchError(f"{url} answered {status} ({phrase}){later}.", url, "status")


def typed(data: bytes, headers: Mapping[str, str], url: str) -> tuple[str, str]:
    """The media type and the charset of a body."""
    declared = Message()
    declared["content-type"] = headers.get("content-type", "")
    given = declared.get_content_type() if headers.get("content-type") else ""
    media_type = media_type_of(data, given, url)
    return media_type, charset_of(data, str(declared.get_param("charset", "")), media_type)


async def read_body(
    response: httpcore.Response, url: str, limits: WebLimits, lease: Lease, cut: bool = False
) -> bytes:
    """All of the body, or with `cut` as much as the limit allows. Raises FetchError."""
    headers = headers_of(response)
    try:
        inflater = Inflater(headers.get("content-encoding", ""), limits.max_bytes)
    except ValueError as error:
        message = f"{url} is packed in a way that was not asked for ({error})."
        raise FetchError(message, url, "unsupported") from None
    try:
        if not cut:
            _require_room(headers, limits)
        await _fill(inflater, response, url, limits, lease)
        return inflater.finish()
    except TooLargeError:
        if cut:
            return inflater.so_far
        limit = f"{limits.max_bytes / MIB:.3g} MiB"
        message = f"{url} is larger than {limit}: read a smaller page instead."
        raise FetchError(message, url, "too_large") from None
    except CrowdedError:
        message = f"{url} is large, and too many large pages are read at once: ask for it again."
        raise FetchError(message, url, "too_large") from None
    except BrokenStreamError as error:
        raise FetchError(f"{url} sent broken data ({error}).", url, "unreachable") from None


async def _fill(
    inflater: Inflater, response: httpcore.Response, url: str, limits: WebLimits, lease: Lease
) -> None:
    wire = 0
    async for piece in _pieces(response, url, limits):
        wire += len(piece)
        if wire > limits.max_wire_bytes:
            raise TooLargeError
        await lease.grow(max(wire, inflater.size))
        inflater.feed(piece)


async def _pieces(response: httpcore.Response, url: str, limits: WebLimits) -> AsyncIterator[bytes]:
    began, wire = time.monotonic(), 0
    try:
        async for piece in response.aiter_stream():
            wire += len(piece)
            seconds = time.monotonic() - began
            if seconds > limits.slow_s and wire < limits.slow_rate * seconds:
                message = f"{url} sends too slowly: {wire} bytes in {seconds:.0f} seconds."
                raise FetchError(message, url, "timeout")
            yield piece
    except FetchError:
        raise
    except Exception as error:
        raise translated(error, url) from error


def _require_room(headers: Mapping[str, str], limits: WebLimits) -> None:
    announced = headers.get("content-length", "")
    most = limits.max_wire_bytes
    if "content-encoding" not in headers:
        most = min(most, limits.max_bytes)
    if announced.isdecimal() and int(announced) > most:
        raise TooLargeError
