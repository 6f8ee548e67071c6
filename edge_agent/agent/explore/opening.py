"""What a run begins with before its model is asked for anything."""

from __future__ import annotations

from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.provenance import urls_in
from edge_agent.agent.explore.turn import FETCH, SEARCH, Call, Turn
from edge_agent.agent.state import PendingTurn, RunState


def opening(task: str, profile: Profile) -> Turn | None:
    """The first step of profiles that begin by themselves: it reads what the task names, and
    searches the question itself."""
    if not profile.opens_with_search:
        return None
    urls = urls_in(task)
    reads = (Call(FETCH, {"url": urls, "purpose": task}),) if urls else ()
    return Turn(calls=(*reads, Call(SEARCH, {"query": [task]})))


def resumed(state: RunState, begun: Turn | None) -> Turn | None:
    """What a run does first that was cut off there: the turn that it was in, else the one it was
    `begun` with unless that is done."""
    if state.pending is not None:
        return _again(state.pending)
    return None if state.steps or state.queries else begun


def _again(pending: PendingTurn) -> Turn:
    calls = tuple(Call(call.tool, call.arguments) for call in pending.calls)
    return Turn(pending.thought, pending.text, calls)
