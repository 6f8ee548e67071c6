"""POST /agent/run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.agent.jsonable import event_as_json, run_as_json
from edge_agent.agent.records import Answered, Run, RunEvent, Task
from edge_agent.errors import EngineError
from edge_agent.server.completions.chat import check_health
from edge_agent.server.output import JsonResponse
from edge_agent.server.research.runs import accepted, error_frame, event_frames, task_of
from edge_agent.server.research.schemas import RunBody
from edge_agent.server.services import AUTO_NAMES, Services
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.streaming import answer, event_stream, framed, named

router = APIRouter(tags=["agent"])


@router.post("/agent/run", summary="Run a task")
async def agent_run(
    body: RunBody, request: Request, services: ServicesDep, holder: HolderDep
) -> Response:
    """The finished run, or with `"stream": true` one server-sent event per thing that happens.

    The last event, `answer`, has the fields of the finished run. Who closes the connection cancels
    the run. With `"background": true` the answer is 202 and the run as it stands, at once (or its
    events), and the run goes on whoever listens: see /agent/runs.
    """
    services.check_model(body.model)
    check_health(services)
    task = replace(to_task(body, services), holder=holder.id)
    if body.background:
        return await _in_background(task, bool(body.stream), request, services)
    events = services.agent.stream(task)
    if body.stream:
        frames = framed(events, lambda event: named(event_as_json(event)))
        return await event_stream(request, frames, services.heartbeat_s, error_frame)
    return await answer(request, _whole(events))


async def _in_background(
    task: Task, streams: bool, request: Request, services: Services
) -> Response:
    runs = services.kept_runs()
    run = runs.submit(task)
    if not streams:
        return accepted(run)
    frames = event_frames(runs.book, run.id, 0)
    return await event_stream(request, frames, services.heartbeat_s, error_frame)


def to_task(body: RunBody, services: Services) -> Task:
    """A library stays a name: whatever it looks like, the agent looks it up among its own."""
    model = None if body.model is None or body.model in AUTO_NAMES else services.chat.name
    return replace(task_of(body, model), n=body.n or 1, fresh_attempts=body.fresh_attempts or 0)


async def _whole(events: AsyncGenerator[RunEvent, None]) -> Response:
    return JsonResponse(run_as_json(await _finished(events)))


async def _finished(events: AsyncGenerator[RunEvent, None]) -> Run:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Answered):
                return event.run
    raise EngineError("The run ended without an answer; send the task again.")
