"""/v1/responses: OpenAI's stateful API."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from edge_agent.errors import EdgeAgentError, NotFound, RequestError
from edge_agent.server.completions.chat import check_health
from edge_agent.server.door.holder import Holder
from edge_agent.server.errors import error_body
from edge_agent.server.output import JsonResponse
from edge_agent.server.responses.asked import Asked, ask, prompt_of
from edge_agent.server.responses.desk import Desk
from edge_agent.server.responses.making import Making, Ready
from edge_agent.server.responses.schemas import CountBody, ResponseBody
from edge_agent.server.services import Services
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.streaming import Frames, answer, event_stream, frame, framed, named
from edge_agent.store.responses import ResponseRow, Shelf

router = APIRouter(tags=["responses"])
MOST_LISTED = 100


async def own_response(id: str, services: ServicesDep, holder: HolderDep) -> str:
    """The id of a stored response of whoever asks. Raises NotFound for any other."""
    services.kept_responses().store.check_held(id, holder.ids)
    return id


OwnResponse = Annotated[str, Depends(own_response)]


@router.post("/v1/responses", summary="Respond")
@router.post("/responses", include_in_schema=False)
async def create_response(
    body: ResponseBody, request: Request, services: ServicesDep, holder: HolderDep
) -> Response:
    """OpenAI's responses: one object, or server-sent events with `"stream": true`.

    Responses are stored unless `"store": false`, and `previous_response_id` goes on from one. With
    `"background": true` the answer is the response as it stands, at once (or its events), and it is
    written whoever listens. Who closes the connection of any other cancels it.
    """
    chat = services.chat_named(body.model, holder.id)
    check_health(services)
    desk = _desk_for(body, services)
    shelf = _shelf(services, holder)
    asked = await asyncio.to_thread(ask, body, chat, services.defaults, shelf)
    # a long prompt takes seconds to tokenise, and others are being answered meanwhile
    ready = await asyncio.to_thread(prompt_of, asked, desk is not None)
    if body.background:
        return await _in_background(body, asked, ready, request, services, holder)
    making = Making(body, asked, desk.store.put if desk else None, ready, holder=holder.id)
    if not body.stream:
        return await answer(request, _whole(making))

    def broken(error: dict[str, Any]) -> bytes:
        return _error_frame(error, making.n_told)

    return await event_stream(request, _frames(making), services.heartbeat_s, broken)


@router.post("/v1/responses/input_tokens", summary="Count the tokens of a response's input")
@router.post("/responses/input_tokens", include_in_schema=False)
async def input_tokens(body: CountBody, services: ServicesDep, holder: HolderDep) -> dict[str, Any]:
    """How many tokens the prompt would have; nothing is generated."""
    chat = services.chat_named(body.model, holder.id)
    shelf = _shelf(services, holder)
    asked = await asyncio.to_thread(ask, body, chat, services.defaults, shelf)
    prompt, _ = await asyncio.to_thread(prompt_of, asked, False)
    return {"object": "response.input_tokens", "input_tokens": prompt.n_tokens}


@router.get("/v1/responses/{id}", summary="A stored response")
@router.get("/responses/{id}", include_in_schema=False)
async def one_response(
    id: OwnResponse,
    request: Request,
    services: ServicesDep,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1)] = -1,
) -> Response:
    """The response; one of the background as far as it has come. With `stream=true` the events of
    one that was created with background and stream, past the one numbered `starting_after`."""
    desk = services.kept_responses()
    if not stream:
        return JsonResponse(desk.response(id))
    desk.check_streams(id)
    return await event_stream(
        request, framed(desk.events(id, starting_after), named), services.heartbeat_s
    )


@router.delete("/v1/responses/{id}", summary="Delete a stored response")
@router.delete("/responses/{id}", include_in_schema=False)
async def delete_response(id: OwnResponse, services: ServicesDep) -> dict[str, Any]:
    """Forgets it; one that is under way is ended. Responses that followed it stay whole."""
    await services.kept_responses().delete(id)
    return {"id": id, "object": "response", "deleted": True}


@router.post("/v1/responses/{id}/cancel", summary="Cancel a response of the background")
@router.post("/responses/{id}/cancel", include_in_schema=False)
async def cancel_response(id: OwnResponse, services: ServicesDep) -> Response:
    """The response as it was left; one that had ended stays as it was."""
    return JsonResponse(await services.kept_responses().cancel(id))


@router.post("/v1/responses/{id}/stop_thinking", summary="Stop thinking, and answer")
@router.post("/responses/{id}/stop_thinking", include_in_schema=False)
async def stop_thinking(id: str, services: ServicesDep, holder: HolderDep) -> dict[str, Any]:
    """Closes the thought of a response that is being written.

    `stopped` is false when it was not thinking; 404 when no response of this id is under way.
    """
    return {"id": id, "stopped": await services.chat_of(holder.id).stop_thinking(id)}


@router.get("/v1/responses/{id}/input_items", summary="What a stored response was given")
@router.get("/responses/{id}/input_items", include_in_schema=False)
async def input_items(
    id: OwnResponse,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    order: str = "desc",
    after: str | None = None,
) -> Response:
    """`limit` items, the newest first unless `order=asc`, past the one whose id is `after`.

    What the responses before it were given and answered belongs to them.
    """
    if order not in ("asc", "desc"):
        raise RequestError("order: it is asc or desc.", "order")
    items = list(services.kept_responses().row(id).context)
    if order == "desc":
        items.reverse()
    rest = items[_place(items, after) :]
    page = rest[:limit]
    ends = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    more = {"first_id": ends[0], "last_id": ends[1], "has_more": len(rest) > limit}
    return JsonResponse({"object": "list", "data": page, **more})


def recover(services: Services) -> int:
    """Go on with the responses of the background that were cut off; how many. For a server's start.

    They are written anew from their requests.
    """
    desk = services.kept_responses()
    rows = desk.cut_off()
    for row in rows:
        try:
            desk.submit(_again(row, desk, services))
        except (EdgeAgentError, ValidationError) as error:  # the world is not what it was
            told = error_body(error)["error"]["message"]
            failed = {"code": "server_error", "message": told}
            ended = {**row.response, "status": "failed", "error": failed}
            desk.store.put(replace(row, status="failed", response=ended))
    return len(rows)


def _again(row: ResponseRow, desk: Desk, services: Services) -> Making:
    body = ResponseBody.model_validate(row.body)
    chat = services.chat_named(body.model, row.holder)
    shelf = Shelf(desk.store, (row.holder, ""))  # it was allowed to when it came
    asked = ask(body, chat, services.defaults, shelf, row.id, row.created_at)
    return Making(body, asked, desk.store.put, None, desk.owner, tape=True, holder=row.holder)


def _desk_for(body: ResponseBody, services: Services) -> Desk | None:
    """Where the response is kept; None where it is not. Raises RequestError, NotSupported."""
    if not body.background:
        return None if body.store is False else services.responses
    if body.store is False:
        raise RequestError("background needs store: it cannot be false.", "store")
    return services.kept_responses()


def _shelf(services: Services, holder: Holder) -> Shelf | None:
    return Shelf(services.responses.store, holder.ids) if services.responses else None


async def _in_background(
    body: ResponseBody,
    asked: Asked,
    ready: Ready,
    request: Request,
    services: Services,
    holder: Holder,
) -> Response:
    desk = services.kept_responses()
    making = Making(body, asked, desk.store.put, ready, desk.owner, tape=True, holder=holder.id)
    desk.submit(making)
    if not making.streams:
        return JsonResponse(making.response)
    return await event_stream(request, framed(desk.events(making.id), named), services.heartbeat_s)


async def _whole(making: Making) -> Response:
    async with aclosing(making.work()) as events:
        async for _ in events:
            pass
    return JsonResponse(making.response)


async def _frames(making: Making) -> Frames:
    async with aclosing(making.work()) as events:
        try:
            async for event in events:
                yield named(event)
        except EdgeAgentError as error:
            if not making.n_told:
                raise
            for event in await making.fail(error):
                yield named(event)


def _error_frame(body: dict[str, Any], number: int) -> bytes:
    """An error as the last event of a stream."""
    error = body["error"]
    told = {"type": "error", "sequence_number": number, "code": error["type"]}
    return frame({**told, "message": error["message"], "param": error.get("param")}, "error")


def _place(items: list[dict[str, Any]], after: str | None) -> int:
    if after is None:
        return 0
    for place, item in enumerate(items, 1):
        if item["id"] == after:
            return place
    raise NotFound(f"There is no item {after!r} in the input of this response.")
