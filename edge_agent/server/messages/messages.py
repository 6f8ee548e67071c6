"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's Messages API."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.chat.messages import Chat, ChatRequest, Prompt
from edge_agent.errors import ContextOverflow, RequestError
from edge_agent.server.completions.chat import check_health
from edge_agent.server.errors import renamed
from edge_agent.server.messages.replies import PING, EventMachine, Head, message
from edge_agent.server.messages.request import to_request
from edge_agent.server.messages.schemas import MessagesBody
from edge_agent.server.messages.shape import reshaped
from edge_agent.server.output import JsonResponse
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.streaming import answer, event_stream, fed, frame, framed, named

router = APIRouter(tags=["messages"])
NAMES = (("stop", "stop_sequences"),)


@router.post("/v1/messages", summary="A message, as Anthropic's API has it")
async def messages(
    body: MessagesBody, request: Request, services: ServicesDep, holder: HolderDep
) -> Response:
    """One message, or Anthropic's server-sent events with `"stream": true`.

    Whatever else `model` names, the model that is loaded answers, and says its own name; `agent` is
    the agent over it.
    """
    check_health(services)
    chat = services.chat_named(body.model, holder.id)
    head = Head(chat.name)
    asked = to_request(body, services.defaults, head.id)
    prompt = await asyncio.to_thread(_prepared, chat, asked)
    machine = EventMachine(replace(head, n_prompt=prompt.n_tokens), _shows_thoughts(body))
    if body.stream:
        frames = framed(fed(chat.stream(prompt), machine.feed), named)
        return await event_stream(request, frames, services.heartbeat_s, _error_frame, named(PING))
    return await answer(request, _whole(chat, prompt, machine))


@router.post("/v1/messages/count_tokens", summary="Count the tokens of a message's prompt")
async def count_tokens(
    body: MessagesBody, services: ServicesDep, holder: HolderDep
) -> dict[str, Any]:
    """How long the prompt of this body is, whether or not it fits the window."""
    check_health(services)
    asked = to_request(body, services.defaults)
    chat = services.chat_named(body.model, holder.id)
    return {"input_tokens": await asyncio.to_thread(_count, chat, asked)}


def _prepared(chat: Chat, asked: ChatRequest) -> Prompt:
    try:
        return chat.prepare(asked)
    except RequestError as error:
        raise renamed(error, NAMES) from None


def _count(chat: Chat, asked: ChatRequest) -> int:
    try:
        return _prepared(chat, asked).n_tokens
    except ContextOverflow as error:
        return error.n_prompt_tokens


def _shows_thoughts(body: MessagesBody) -> bool:
    return body.thinking is None or body.thinking.display != "omitted"


async def _whole(chat: Chat, prompt: Prompt, machine: EventMachine) -> Response:
    return JsonResponse(await message(chat.stream(prompt), machine))


def _error_frame(body: dict[str, Any]) -> bytes:
    return frame(reshaped(body), "error")
