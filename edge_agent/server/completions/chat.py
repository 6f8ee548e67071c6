"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.chat.messages import Prompt
from edge_agent.errors import EngineCrashed
from edge_agent.server.completions.replies import ChunkMachine, Head, chunks, completion
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.output import Json
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import Frames, answer, event_stream, frame

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", summary="Chat")
@router.post("/chat/completions", include_in_schema=False)
async def chat_completions(body: ChatBody, request: Request, services: ServicesDep) -> Response:
    """OpenAI's chat completions: one object, or server-sent chunks with `"stream": true`."""
    services.check_model(body.model)
    check_health(services)
    head = Head(services.chat.name)
    asked = to_request(body, services.defaults, head.id)
    # a long prompt takes seconds to tokenise, and others are being answered meanwhile
    prompt = await asyncio.to_thread(services.chat.prepare, asked)
    if body.stream:
        include_usage = bool(body.stream_options and body.stream_options.include_usage)
        machine = ChunkMachine(head, include_usage, asked.n)
        frames = _frames(services, prompt, machine)
        return await event_stream(request, frames, services.heartbeat_s)
    return await answer(request, _whole(services, prompt, head, asked.n))


@router.post("/v1/chat/completions/{id}/stop_thinking", summary="Stop thinking, and answer")
@router.post("/chat/completions/{id}/stop_thinking", include_in_schema=False)
async def stop_thinking(id: str, services: ServicesDep) -> dict[str, Any]:
    """Closes the thought of a completion that is being streamed; its id is in every chunk.

    `stopped` is false when it was not thinking; 404 when no completion of this id is running.
    """
    return {"id": id, "stopped": await services.chat.stop_thinking(id)}


async def _whole(services: Services, prompt: Prompt, head: Head, n: int) -> Response:
    return Json(await completion(services.chat.stream(prompt), head, n))


async def _frames(services: Services, prompt: Prompt, machine: ChunkMachine) -> Frames:
    stream = chunks(services.chat.stream(prompt), machine)
    async with aclosing(stream):
        async for chunk in stream:
            yield frame(chunk)
    yield b"data: [DONE]\n\n"


def check_health(services: Services) -> None:
    """Raises EngineCrashed (503) while there is no engine to wait for."""
    health = services.health()
    if health.state == "loading":
        raise EngineCrashed("The model is still loading; try again in a moment.")
    if health.state == "failed":
        raise EngineCrashed(f"The engine is down: {health.detail or 'see the log of the server'}")
