"""Calls of MCP servers' tools that wait for a person's word, and the word."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from edge_agent.errors import NotSupported
from edge_agent.server.errors import status_response
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import Services
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.tools.tools import FAR, is_far
from edge_agent.tools.mcp.desk import ApprovalDesk, Waiting

NONE = "No tool asks here: start the server with --mcp-servers-config."
router = APIRouter(tags=["tools"])


class Word(BaseModel):
    """What a person decides of a call."""

    model_config = ConfigDict(extra="ignore")

    allow: bool = Field(description="whether the call is made")
    always: bool = Field(False, description="and every later call of the tool")


@router.get("/tools/approvals", summary="Calls that wait for a word")
async def waiting(request: Request, services: ServicesDep, holder: HolderDep) -> Response:
    """The calls of MCP servers' tools that their file says to ask for, of the runs of the API key
    that asks. Look at least every 30 seconds: while nobody looks, those runs have no tools that
    ask."""
    if is_far(request):
        return status_response(403, FAR)
    return JsonResponse([_shown(call) for call in desk_of(services).look(holder.ids)])


@router.post("/tools/approvals/{id}", summary="Allow a call, or do not")
async def decide(
    id: str, word: Word, request: Request, services: ServicesDep, holder: HolderDep
) -> Response:
    """The call goes on at once, or its run goes on without it."""
    if is_far(request):
        return status_response(403, FAR)
    desk_of(services).decide(id, word.allow, word.always, holder.ids)
    return JsonResponse({"id": id, "allow": word.allow})


def _shown(call: Waiting) -> dict[str, Any]:
    asked = call.asked
    told = {"server": asked.server, "tool": asked.tool, "arguments": dict(asked.arguments)}
    return {"id": call.id, "since": call.since, **told}


def desk_of(services: Services) -> ApprovalDesk:
    """Raises NotSupported where no tool asks."""
    if services.approvals is None:
        raise NotSupported(NONE)
    return services.approvals
