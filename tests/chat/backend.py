"""An OpenAI-compatible server on the loopback address that says what it was told to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_agent.server.serve import serve
from tests.patience import HANG_S

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 12},
}


@dataclass(frozen=True)
class Says:
    """One answer: pieces of a body (bytes), pauses (seconds), or an exception that cuts it."""

    pieces: Sequence[bytes | float | Exception] = ()
    status: int = 200
    kind: str = "text/event-stream; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def chunk(
    delta: dict[str, Any] | None = None, reason: str | None = None, index: int = 0, **more: Any
) -> bytes:
    """One event of a stream."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": reason}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


def stream(*deltas: dict[str, Any], reason: str = "stop") -> Says:
    """A whole answer."""
    pieces = [chunk({"role": "assistant", "content": None}), *map(chunk, deltas)]
    return Says([*pieces, chunk({}, reason), chunk(usage=USAGE), b"data: [DONE]\n\n"])


def text(words: str, reason: str = "stop") -> Says:
    """A whole answer of text."""
    return stream({"content": words}, reason=reason)


def refusal(message: str, status: int = 400, **more: Any) -> Says:
    """An error in OpenAI's shape."""
    body = json.dumps({"error": {"message": message, "type": "invalid", **more}}).encode()
    return Says([body], status, "application/json")


@dataclass
class Backend:
    """Answers a chat with the next of `script`, the last one for ever. `bodies` are what it was
    sent, `open` the answers that are being written, `cut` those whose reader went away."""

    script: list[Says]
    models: Any = field(
        default_factory=lambda: {"data": [{"id": "m", "owned_by": "other", "max_model_len": 1000}]}
    )
    props: Any = None
    tokens: int = 0
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    open: int = 0
    cut: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", self.list),
                Route("/props", self.tell_props),
                Route("/tokenize", self.tokenize, methods=["POST"]),
            ]
        )

    async def chat(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        says = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        body = self.write(says)
        return StreamingResponse(body, says.status, says.headers, says.kind)

    async def write(self, says: Says) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            for piece in says.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.cut += 1
            raise
        finally:
            self.open -= 1

    async def list(self, request: Request) -> Response:
        return self.known(self.models)

    async def tell_props(self, request: Request) -> Response:
        return self.known(self.props)

    async def tokenize(self, request: Request) -> Response:
        self.asked.append(await request.json())
        return self.known({"tokens": [1] * self.tokens} if self.tokens else None)

    @staticmethod
    def known(value: Any) -> Response:
        return JSONResponse(value if value is not None else {}, 200 if value is not None else 404)


@contextmanager
def running(backend: Backend) -> Iterator[Backend]:
    """Serve it until the block ends."""
    ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(
            backend.app(),
            port=0,
            on_ready=lambda url: ready.set_result((url, loop, stop)),
            stop=stop,
            log_level="critical",
        )

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    backend.url, loop, stop = ready.result(timeout=HANG_S)
    try:
        yield backend
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=HANG_S)
        assert not thread.is_alive(), "the server did not stop"
