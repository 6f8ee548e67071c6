"""POST /agent/run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.agent.jsonable import event_as_json, run_as_json
from edge_agent.agent.records import Answered, Limits, Run, RunEvent, Task
from edge_agent.errors import EngineError, RequestError
from edge_agent.server.chat import check_health
from edge_agent.server.output import Json
from edge_agent.server.schemas import RunBody, WireLimits
from edge_agent.server.services import AUTO_NAMES, Services
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import Frames, answer, event_stream, frame

router = APIRouter(tags=["agent"])


@router.post("/agent/run", summary="Run a task")
async def agent_run(body: RunBody, request: Request, services: ServicesDep) -> Response:
    """The finished run, or with `"stream": true` one server-sent event per thing that happens.

    The last event, `answer`, has the fields of the finished run.
    """
    services.check_model(body.model)
    check_health(services)
    events = services.agent.stream(to_task(body, services))
    if body.stream:
        return await event_stream(request, _frames(events), services.heartbeat_s, _error_frame)
    return await answer(request, _whole(events))


def to_task(body: RunBody, services: Services) -> Task:
    """A library stays a name: whatever it looks like, the agent looks it up among its own."""
    if not body.task.strip():
        raise RequestError("task: say what is to be found out.", "task")
    model = None if body.model is None or body.model in AUTO_NAMES else services.chat.name
    return Task(body.task, model, _limits(body.limits), body.library or None)


def _limits(given: WireLimits | None) -> Limits:
    return Limits(**given.model_dump(exclude_none=True)) if given else Limits()


async def _whole(events: AsyncGenerator[RunEvent, None]) -> Response:
    return Json(run_as_json(await _finished(events)))


async def _finished(events: AsyncGenerator[RunEvent, None]) -> Run:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Answered):
                return event.run
    raise EngineError("The run ended without an answer; send the task again.")


async def _frames(events: AsyncGenerator[RunEvent, None]) -> Frames:
    async with aclosing(events):
        async for event in events:
            data = event_as_json(event)
            yield frame(data, data["type"])


def _error_frame(body: dict[str, Any]) -> bytes:
    return frame({"type": "error", **body}, "error")
