"""What is said of a model that does not fit: the numbers, and the nearest choice that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.engine.fit.layouts import (
    AUTO_LAYERS,
    Case,
    Wishes,
    largest_ctx,
    layout_for,
    layouts,
    usual_ctx,
)
from edge_agent.engine.fit.shape import CTX_STEP

FEWEST_CTX = 2 * CTX_STEP  # a smaller context is of no use to anybody
GIB = 1 << 30
MIB = 1 << 20
# what may be left to the planner, in the order in which it is given up
LEFT_OPEN: tuple[Mapping[str, Any], ...] = (
    {"kv_type": "auto"},
    {"n_gpu_layers": AUTO_LAYERS},
    {"batch_size": 0},
    {"cache_bytes": None},
    {"ctx_size": 0},
)


def gib(n_bytes: float) -> str:
    """Bytes for a person."""
    return f"{n_bytes / GIB:.1f} GiB"


def refusal(case: Case, n_ctx: int) -> str:
    """One sentence on why so much context does not fit in any way that was allowed."""
    name = Path(case.shape.path).name
    allowed = list(layouts(case, n_ctx))
    if not allowed:
        return f"{name} cannot have q8_0 KV cells: its heads are no multiple of 32. Use f16."
    cost = case.estimate(allowed[-1])
    host = cost.host.total + case.program_bytes + (case.wishes.cache_bytes or 0)
    needed = f"{gib(host)} of memory, and {gib(case.machine.available_bytes)} are available"
    if cost.device.total:
        free = sum(gpu.free_bytes for gpu in case.machine.gpus)
        needed = f"{gib(cost.device.total)} on the GPU, with {gib(free)} free, and {needed}"
    return f"{name} with {n_ctx} tokens of context needs {needed}: {_way_out(case)}."


def _way_out(case: Case) -> str:
    near = nearest(case)
    if near is None:
        return "close other programs or use a smaller model"
    return f"use {' '.join(flags_between(case.wishes, near))}"


def nearest(case: Case) -> Wishes | None:
    """The wishes with the least change that fits; None when the model is too large for any."""
    return next((fit for other in _looser(case.wishes) if (fit := _fitting(case, other))), None)


def _looser(wishes: Wishes) -> Iterator[Wishes]:
    """The wishes with one thing left to the planner, then with more and more of them."""
    for open_ in LEFT_OPEN:
        yield replace(wishes, **open_)
    for open_ in LEFT_OPEN:
        wishes = replace(wishes, **open_)
        yield wishes


def _fitting(case: Case, looser: Wishes) -> Wishes | None:
    """What was asked for, with what the planner chooses in place of what `looser` leaves open."""
    asked = case.wishes
    loose = replace(case, wishes=looser)
    most = asked.ctx_size or usual_ctx(case.shape)
    n_ctx = looser.ctx_size or largest_ctx(loose, min(FEWEST_CTX, most), most)
    layout = layout_for(loose, n_ctx) if n_ctx else None
    if layout is None:
        return None
    return replace(
        asked,
        ctx_size=n_ctx,
        kv_type=asked.kv_type if asked.kv_type == looser.kv_type else layout.kv_type,
        batch_size=asked.batch_size and layout.n_batch,
        n_gpu_layers=_layers(asked, looser, layout.gpu_layers),
        cache_bytes=_cache(asked, looser, loose.left(loose.estimate(layout))),
    )


def _layers(asked: Wishes, looser: Wishes, chosen: int) -> int:
    return asked.n_gpu_layers if asked.n_gpu_layers == looser.n_gpu_layers else chosen


def _cache(asked: Wishes, looser: Wishes, left: int) -> int | None:
    """What was asked for, or as much of it as fits, in whole MiB."""
    if asked.cache_bytes == looser.cache_bytes or asked.cache_bytes is None:
        return asked.cache_bytes
    return min(asked.cache_bytes, left) // MIB * MIB


def flags_between(asked: Wishes, near: Wishes) -> list[str]:
    """What to change on the command line to get from one to the other."""
    cache = (near.cache_bytes or 0) // MIB
    flags = [
        ("--kv-type", asked.kv_type, near.kv_type, near.kv_type),
        ("--n-gpu-layers", asked.n_gpu_layers, near.n_gpu_layers, near.n_gpu_layers),
        ("--batch-size", asked.batch_size, near.batch_size, near.batch_size),
        ("--cache-ram", asked.cache_bytes, near.cache_bytes, cache),
        ("--ctx-size", asked.ctx_size, near.ctx_size, near.ctx_size),
    ]
    return [f"{flag} {said}" for flag, old, new, said in flags if old != new]
