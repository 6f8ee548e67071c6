"""/agent/runs: runs that outlive the requests that began them."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from edge_agent.agent.jsonable import run_as_json
from edge_agent.agent.records import Limits, Run, Status, Task
from edge_agent.agent.runs.book import RunBook, told_as_json
from edge_agent.errors import RequestError
from edge_agent.server.completions.chat import check_health
from edge_agent.server.output import JsonResponse
from edge_agent.server.research.schemas import FollowUpBody, WireLimits
from edge_agent.server.state import HolderDep, ServicesDep
from edge_agent.server.streaming import Frames, event_stream, frame, named

router = APIRouter(prefix="/agent/runs", tags=["runs"])

MOST_LISTED = 100
SEQ_DIGITS = 18  # more is no number that SQLite holds


async def own_run(id: str, services: ServicesDep, holder: HolderDep) -> str:
    """The id of a run of whoever asks. Raises NotFound for any other."""
    services.kept_runs().book.check_held(id, holder.ids)
    return id


OwnRun = Annotated[str, Depends(own_run)]


@router.get("", summary="Runs, newest first")
async def list_runs(
    services: ServicesDep,
    holder: HolderDep,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    before: str | None = None,
    status: Status | None = None,
) -> Response:
    """`limit` runs of a `status`, without their steps; `before` takes the id `next` of the page
    before, which is null on the last."""
    lines = services.kept_runs().book.lines(limit + 1, before, status, holder.ids)
    page = lines[:limit]
    next_before = page[-1].id if len(lines) > limit else None
    return JsonResponse(
        {"object": "list", "data": [asdict(line) for line in page], "next": next_before}
    )


@router.get("/{id}", summary="A run")
async def one_run(id: OwnRun, services: ServicesDep) -> Response:
    """The run; one that has not ended as far as it has come, with its steps so far."""
    return JsonResponse(run_as_json(services.kept_runs().book.run(id)))


@router.get("/{id}/events", summary="What happened in a run, and happens")
async def events(
    id: OwnRun, request: Request, services: ServicesDep, after: str | None = None
) -> Response:
    """Server-sent events from the beginning, or past the one that `Last-Event-ID` or `after` names,
    up to `answer`. The id of an event is its number in the run; deltas of text have none and are
    told only while they are written. 204 when all was told and the run has ended.
    """
    book = services.kept_runs().book
    seen = _seq(request.headers.get("last-event-id"), "Last-Event-ID") or _seq(after, "after")
    if book.is_told(id, seen):
        return Response(status_code=204)
    frames = event_frames(book, id, seen)
    return await event_stream(request, frames, services.heartbeat_s, error_frame)


@router.post("/{id}/cancel", summary="End a run")
async def cancel(id: OwnRun, services: ServicesDep) -> Response:
    """The run as it was left; 409 when it had ended by itself."""
    return JsonResponse(run_as_json(await services.kept_runs().cancel(id)))


@router.post("/{id}/resume", summary="Go on with a run")
async def resume(id: OwnRun, services: ServicesDep) -> Response:
    """From its last recorded step, in the background, when the run was cut off, cancelled, or
    failed because of the world around it; 409 when it had come to its end."""
    check_health(services)
    return accepted(services.kept_runs().resume(id))


@router.post("/{id}/follow-up", summary="Ask on")
async def follow_up(
    id: OwnRun, body: FollowUpBody, services: ServicesDep, holder: HolderDep
) -> Response:
    """A new run in the background that begins with what this one found and answered; its field
    `follows` names this one. 409 while this one has not ended."""
    check_health(services)
    task = replace(task_of(body), holder=holder.id)
    return accepted(services.kept_runs().follow_up(id, task))


def task_of(body: FollowUpBody, model: str | None = None) -> Task:
    """What is asked for. Raises RequestError."""
    if not body.task.strip():
        raise RequestError("task: say what is to be found out.", "task")
    return Task(
        body.task,
        model,
        _limits(body.limits),
        body.library or None,
        output_schema=body.output_schema,
    )


def accepted(run: Run) -> Response:
    """202: a run that goes on by itself."""
    return JsonResponse(run_as_json(run), 202, headers={"Location": f"/agent/runs/{run.id}"})


async def event_frames(book: RunBook, run_id: str, after: int) -> Frames:
    """A comment at once, so that the stream is open, then the events with their ids."""
    yield f": events of {run_id}\n\n".encode()
    async with aclosing(book.events(run_id, after)) as told:
        async for each in told:
            head = b"" if each.seq is None else b"id: %d\n" % each.seq
            yield head + named(told_as_json(each))


def error_frame(body: dict[str, Any]) -> bytes:
    """An error as the last event of a run's stream."""
    return frame({"type": "error", **body}, "error")


def _limits(given: WireLimits | None) -> Limits:
    return Limits(**given.model_dump(exclude_none=True)) if given else Limits()


def _seq(text: str | None, name: str) -> int:
    """An event's number; 0 when none is named."""
    if text is None:
        return 0
    number = text.strip()
    if not (number.isascii() and number.isdigit() and len(number) <= SEQ_DIGITS):
        raise RequestError(f"{name}: {text!r} is not the id of an event.", name)
    return int(number)
