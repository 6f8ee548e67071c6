"""GET /slots: the places at the engine, and what runs in them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from edge_agent.engine.counts import Running
from edge_agent.errors import NotSupported
from edge_agent.server.device.device import Facts
from edge_agent.server.errors import status_response
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep

router = APIRouter(tags=["server"])

NO_FILES = (
    "A slot has no state of its own here to be saved: what the slots computed is shared by prefix. "
    "Send pin_prompt with a request, and its prompt is kept on disk (--prefix-dir)."
)


@router.get("/slots", summary="What runs at the engine")
async def slots(
    services: ServicesDep, fail_on_no_slot: Annotated[int, Query(ge=0, le=1)] = 0
) -> Response:
    """One entry for each request that may run side by side. `?fail_on_no_slot=1` makes it a 503
    while none is free. Not there unless the server was started with --slots."""
    if not services.shows_slots:
        raise NotSupported("This server was started without --slots.")
    placed = [each for each in await services.device.running() if not each.is_waiting]
    facts = services.device.facts
    if fail_on_no_slot and len(placed) >= facts.n_slots:
        return status_response(503, "Every slot is busy: try again.", {"Retry-After": "1"})
    return JsonResponse([entry(i, placed, facts, services) for i in range(facts.n_slots)])


@router.post("/slots/{id}", summary="Not supported: save or restore a slot")
async def save_slot(id: int, action: str = "") -> Response:
    """Always 501: slots share what they computed, so that none has a state of its own."""
    raise NotSupported(NO_FILES)


def entry(i: int, placed: list[Running], facts: Facts, services: Services) -> dict[str, Any]:
    """A slot in llama-server's words; which request has which is decided anew at each look."""
    head = {"id": i, "n_ctx": services.chat.n_ctx, "speculative": facts.speculates}
    if i >= len(placed):
        return {**head, "is_processing": False}
    run = placed[i]
    return {
        **head,
        "id_task": run.id,
        "is_processing": True,
        "n_prompt_tokens": run.n_prompt,
        "n_prompt_tokens_processed": run.n_computed,
        "background": run.is_background,
        "next_token": [
            {
                "has_next_token": True,
                "n_remain": -1 if run.n_left is None else run.n_left,
                "n_decoded": run.n_generated,
            }
        ],
    }
