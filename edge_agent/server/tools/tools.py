"""GET and POST /tools: llama-server's way for a client to run the server's tools itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import IPv6Address, ip_address
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from edge_agent.errors import NotSupported, ToolError
from edge_agent.server.errors import status_response
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import frame
from edge_agent.server.tools.bench import OFF, Bench
from edge_agent.tools.base import Tool
from edge_agent.tools.shown import as_data, shown

FAR = "Tools are run for programs on this machine only."
router = APIRouter(tags=["tools"])


class ToolCall(BaseModel):
    """A call of one tool."""

    model_config = ConfigDict(extra="ignore")

    tool: str = Field(description="its name, as GET /tools lists it")
    params: dict[str, Any] = Field(default_factory=dict, description="its arguments")
    stream: bool = Field(False, description="answer as server-sent events")


@router.get("/tools", summary="Tools that may be run here")
async def list_tools(request: Request, services: ServicesDep) -> Response:
    """The tools that `--tools` has named and those of the MCP servers, with their schemas."""
    if is_far(request):
        return status_response(403, FAR)
    return JsonResponse([listed.as_json() for listed in bench_of(services).listed.values()])


@router.post("/tools", summary="Run a tool")
async def run_tool(call: ToolCall, request: Request, services: ServicesDep) -> Response:
    """Runs one tool. What a tool could not do is told in `error`, with status 200. With `stream`
    come `{"chunk"}` events and one `{"done": true}`."""
    if is_far(request):
        return status_response(403, FAR)
    tool = bench_of(services).find(call.tool)
    if request.headers.get("x-tool-runtime"):
        raise NotSupported("x-tool-runtime: tools run here and in no other place.")
    if call.stream:
        return StreamingResponse(_events(tool, call.params), media_type="text/event-stream")
    return JsonResponse(await _ran(tool, call.params))


def bench_of(services: Services) -> Bench:
    """Raises NotSupported where no tools are run for clients."""
    if services.tools is None:
        raise NotSupported(OFF)
    return services.tools


def is_far(request: Request) -> bool:
    """Whether a request comes from another machine."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not (mapped or address).is_loopback


async def _ran(tool: Tool, params: dict[str, Any]) -> dict[str, Any]:
    try:
        result = await tool.call(params)
    except ToolError as error:
        return {"error": str(error)}
    return {"plain_text_response": shown(result), "result": as_data(result)}


async def _events(tool: Tool, params: dict[str, Any]) -> AsyncIterator[bytes]:
    ran = await _ran(tool, params)
    done: dict[str, Any] = {"done": True}
    if "error" in ran:
        done["error"] = ran["error"]
    else:
        yield frame({"chunk": ran["plain_text_response"]})
    yield frame(done)
