"""POST /v1/completions: OpenAI's completions of plain text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.chat.messages import Event, Prompt
from edge_agent.chat.text import TextModel
from edge_agent.errors import NotSupported
from edge_agent.server.completions.chat import check_health, verbose, wants_of
from edge_agent.server.completions.head import Head, new_id
from edge_agent.server.output import JsonResponse
from edge_agent.server.plain.infill import Gap, filled
from edge_agent.server.plain.merged import merged
from edge_agent.server.plain.replies import TextMachine, text_completion
from edge_agent.server.plain.request import Parts, prepared, prompts_of, text_request
from edge_agent.server.plain.schemas import TextBody
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import DONE, answer, event_stream, fed, framed

router = APIRouter(tags=["text"])


@router.post("/v1/completions", summary="Continue a text")
async def completions(body: TextBody, request: Request, services: ServicesDep) -> Response:
    """OpenAI's completions: the model goes on where the text ends, without a chat template.

    With `suffix` it writes what stands between both, where the model was trained for that.
    """
    check_health(services)
    texts = services.text_model()
    head = Head(services.chat.name, new_id("cmpl"))
    prompts = await asyncio.to_thread(_prompts, body, services, texts, head.id)
    n, echo = body.n or 1, _echo(body, texts, prompts)
    wants = wants_of(body, verbose(services, body, prompts[0]))
    if body.stream:
        machine = TextMachine(head, wants, len(prompts), n, echo)
        chunks = fed(streams_of(texts, prompts), lambda told: machine.feed(*told))
        frames = framed(chunks, end=DONE)
        return await event_stream(request, frames, services.heartbeat_s)

    async def whole() -> Response:
        events = streams_of(texts, prompts)
        return JsonResponse(await text_completion(events, head, wants, len(prompts), n, echo))

    return await answer(request, whole())


def streams_of(
    texts: TextModel, prompts: Sequence[Prompt]
) -> AsyncGenerator[tuple[int, Event], None]:
    """The events of all prompts, each with the place of its prompt."""
    return merged([texts.stream(prompt) for prompt in prompts])


def _prompts(body: TextBody, services: Services, texts: TextModel, name: str) -> list[Prompt]:
    requests = [
        text_request(body, _whole(body, parts, services, texts), services.defaults, texts, name)
        for parts in prompts_of(body.prompt)
    ]
    return [prepared(texts, request) for request in requests]


def _whole(body: TextBody, parts: Parts, services: Services, texts: TextModel) -> Parts:
    if body.suffix is None:
        return parts
    if len(parts) != 1 or not isinstance(parts[0], str):
        raise NotSupported("suffix is not supported behind token ids: send a text.", "suffix")
    return filled(Gap(parts[0], body.suffix), texts, services.chat.n_ctx, body.max_tokens)


def _echo(body: TextBody, texts: TextModel, prompts: Sequence[Prompt]) -> list[str]:
    return [texts.text(prompt.ids) for prompt in prompts] if body.echo else []
