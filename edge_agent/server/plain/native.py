"""POST /completion, /completions and /infill: llama-server's own completions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.chat.fold import unended
from edge_agent.chat.messages import Event, Prompt
from edge_agent.chat.text import TextModel, TextRequest
from edge_agent.server.completions.chat import check_health
from edge_agent.server.completions.head import new_id
from edge_agent.server.output import JsonResponse
from edge_agent.server.plain.infill import Gap, filled
from edge_agent.server.plain.native_replies import About, NativeMachine
from edge_agent.server.plain.request import (
    Parts,
    native_request,
    prepared,
    prompts_of,
    settings_of,
)
from edge_agent.server.plain.schemas import InfillBody, Native, NativeBody
from edge_agent.server.plain.text import streams_of
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import answer, event_stream, fed, framed

router = APIRouter(tags=["text"])
Events = AsyncGenerator[tuple[int, Event], None]


@router.post("/completion", summary="Continue a text, llama-server's way")
@router.post("/completions", include_in_schema=False)
async def completion(body: NativeBody, request: Request, services: ServicesDep) -> Response:
    """One object, or a list of them for several prompts; with `stream` a piece of text each."""
    check_health(services)
    return await _answered(body, prompts_of(body.prompt), request, services)


@router.post("/infill", summary="Fill in code")
async def infill(body: InfillBody, request: Request, services: ServicesDep) -> Response:
    """What stands between `input_prefix` and `input_suffix`; the answer is that of /completion."""
    check_health(services)
    gap = Gap(
        body.input_prefix, body.input_suffix, body.prompt or "", tuple(body.input_extra or ())
    )
    texts, n_ctx = services.text_model(), services.chat.n_ctx
    parts = await asyncio.to_thread(filled, gap, texts, n_ctx, body.n_predict)
    return await _answered(body, [parts], request, services)


async def _answered(
    body: Native, prompts: Sequence[Parts], request: Request, services: Services
) -> Response:
    texts, name = services.text_model(), new_id("cmpl")
    made = await asyncio.to_thread(_prepared, body, prompts, services, texts, name)
    n = body.n or 1
    machines = [
        NativeMachine(_about(body, asked, prompt, services, texts), place * n + choice)
        for place, (asked, prompt) in enumerate(made)
        for choice in range(n)
    ]
    events = streams_of(texts, [prompt for _, prompt in made])
    if body.stream:

        def told(each: tuple[int, Event]) -> list[dict[str, Any]]:
            place, event = each
            return machines[place * n + event.choice].feed(event)

        return await event_stream(request, framed(fed(events, told)), services.heartbeat_s)
    return await answer(request, _whole(events, machines, n))


def _prepared(
    body: Native, prompts: Sequence[Parts], services: Services, texts: TextModel, name: str
) -> list[tuple[TextRequest, Prompt]]:
    asked = [native_request(body, parts, services.defaults, texts, name) for parts in prompts]
    return [(request, prepared(texts, request)) for request in asked]


def _about(
    body: Native, asked: TextRequest, prompt: Prompt, services: Services, texts: TextModel
) -> About:
    return About(
        model=services.chat.name,
        prompt=texts.text(prompt.ids),
        n_prompt=len(prompt.ids),
        settings=settings_of(asked, sorted(texts.eog_ids), stream=bool(body.stream)),
        streams=bool(body.stream),
        tokens=bool(body.return_tokens),
        probabilities=bool(body.n_probs),
        drawn=asked.drawn,
        timings=bool(body.timings_per_token),
        progress=bool(body.return_progress),
        fields=tuple(body.response_fields or ()),
    )


async def _whole(events: Events, machines: Sequence[NativeMachine], n: int) -> Response:
    ends: dict[int, Any] = {}
    async with aclosing(events):
        async for place, event in events:
            at = place * n + event.choice
            for told in machines[at].feed(event):
                ends[at] = told
    if len(ends) < len(machines):
        raise unended()
    each = [ends[at] for at in range(len(machines))]
    return JsonResponse(each[0] if len(each) == 1 else each)
