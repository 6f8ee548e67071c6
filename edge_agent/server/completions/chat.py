"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.chat.messages import Chat, ChatRequest, Prompt
from edge_agent.errors import EngineCrashed
from edge_agent.server.completions.head import Head, Wants
from edge_agent.server.completions.replies import ChunkMachine, completion
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody, Sampled
from edge_agent.server.completions.thoughts import Events, place_of, placed
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import Services
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.streaming import DONE, answer, event_stream, fed, framed

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", summary="Chat")
@router.post("/chat/completions", include_in_schema=False)
async def chat_completions(
    body: ChatBody, request: Request, services: ServicesDep, holder: HolderDep
) -> Response:
    """OpenAI's chat completions: one object, or server-sent chunks with `"stream": true`.

    Whatever else `model` names, the model that is loaded answers, and says its own name; `agent` is
    the agent over it.
    """
    check_health(services)
    chat = services.chat_named(body.model, holder.id)
    head = Head(chat.name)
    asked = to_request(body, services.defaults, head.id)
    # a long prompt takes seconds to tokenise, and others are being answered meanwhile
    prompt, wants = await asyncio.to_thread(_prepared, chat, asked, body, services)
    place = place_of(body.reasoning_format or services.defaults.reasoning_format)
    events = placed(chat.stream(prompt), place)
    if body.stream:
        frames = framed(fed(events, ChunkMachine(head, wants, asked.n).feed), end=DONE)
        return await event_stream(request, frames, services.heartbeat_s)
    return await answer(request, _whole(events, head, asked.n, wants))


@router.post("/v1/chat/completions/input_tokens", summary="Count the tokens of a chat")
@router.post("/chat/completions/input_tokens", include_in_schema=False)
async def input_tokens(body: ChatBody, services: ServicesDep, holder: HolderDep) -> dict[str, Any]:
    """How many tokens the prompt of a chat completion with this body would have."""
    check_health(services)
    asked = to_request(body, services.defaults)
    chat = services.chat_named(body.model, holder.id)
    prompt = await asyncio.to_thread(chat.prepare, asked)
    return {"object": "response.input_tokens", "input_tokens": prompt.n_tokens}


@router.post("/v1/chat/completions/{id}/stop_thinking", summary="Stop thinking, and answer")
@router.post("/chat/completions/{id}/stop_thinking", include_in_schema=False)
async def stop_thinking(id: str, services: ServicesDep, holder: HolderDep) -> dict[str, Any]:
    """Closes the thought of a completion that is being streamed; its id is in every chunk.

    `stopped` is false when it was not thinking; 404 when no completion of this id is running.
    """
    return {"id": id, "stopped": await services.chat_of(holder.id).stop_thinking(id)}


def _prepared(
    chat: Chat, asked: ChatRequest, body: ChatBody, services: Services
) -> tuple[Prompt, Wants]:
    prompt = chat.prepare(asked)
    return prompt, wants_of(body, verbose(services, body, prompt))


async def _whole(events: Events, head: Head, n: int, wants: Wants) -> Response:
    return JsonResponse(await completion(events, head, n, wants))


def wants_of(body: Sampled, more: dict[str, Any]) -> Wants:
    """What a body asks for besides the answer; `more` goes with its end."""
    return Wants(
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        timings=bool(body.timings_per_token),
        progress=bool(body.return_progress),
        verbose=more,
    )


def verbose(services: Services, body: Sampled, prompt: Prompt) -> dict[str, Any]:
    """`__verbose` with the prompt as the model reads it, for those who asked."""
    asked = services.verbose if body.verbose is None else body.verbose
    if not asked or services.texts is None:
        return {}
    return {"__verbose": {"prompt": services.texts.text(prompt.ids), "tokens": list(prompt.ids)}}


def check_health(services: Services) -> None:
    """Raises EngineCrashed (503) while there is no engine to wait for."""
    health = services.health()
    if health.state == "loading":
        raise EngineCrashed("The model is still loading; try again in a moment.")
    if health.state == "failed":
        raise EngineCrashed(f"The engine is down: {health.detail or 'see the log of the server'}")
