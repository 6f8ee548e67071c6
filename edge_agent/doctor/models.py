"""The models that are installed: whole, fitting, and computing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.catalog.installed import Installed
from edge_agent.doctor.finding import Finding
from edge_agent.engine.client import EngineClient
from edge_agent.engine.fit.planner import Plan
from edge_agent.errors import EdgeAgentError

PROBE_CTX = 512  # tokens; loading computes a few, which shows a kernel that cannot run
PULL = "Run `edge-agent pull NAME` with a name from `edge-agent models`."


def on_models(installed: Sequence[Installed]) -> list[Finding]:
    """What is there, and what of it is broken."""
    broken = [
        Finding(
            f"model {each.name}",
            "problem",
            each.problem,
            f"`edge-agent rm {each.name}`, and pull it again.",
        )
        for each in installed
        if each.problem
    ]
    whole = [each.name for each in installed if not each.problem and each.kind == "chat"]
    if whole:
        return [Finding("models", "good", f"Installed: {', '.join(whole)}."), *broken]
    return [Finding("models", "problem", "No chat model is installed.", PULL), *broken]


def on_plan(planned: Plan | EdgeAgentError) -> Finding:
    """How the model that would be used is loaded: threads, cells, memory."""
    if isinstance(planned, EdgeAgentError):
        return Finding("loading", "problem", str(planned), "See `edge-agent plan`.")
    return Finding("loading", "good", f"{Path(planned.spec.path).name}: {planned.reason}.")


async def on_computing(planned: Plan) -> Finding:
    """Load it with a small context and compute a few tokens, in a process that may die of it."""
    said: list[str] = []
    engine = EngineClient(replace(planned.spec, n_ctx=PROBE_CTX, cache_bytes=0), said.append)
    try:
        await engine.start()
        careful = planned.spec.use_extra_bufts and not engine.spec.use_extra_bufts
    except EdgeAgentError as error:
        return Finding("computing", "problem", str(error), "Rebuild llama-cpp-python here.")
    finally:
        await engine.close()
    if careful:
        return Finding("computing", "problem", said[0], "Rebuild llama-cpp-python as it says.")
    return Finding("computing", "good", "The model loads, and its first tokens are computed.")
