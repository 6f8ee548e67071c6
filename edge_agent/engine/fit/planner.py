"""From a model's shape, this machine and what was asked: how the engine loads it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_agent.engine.fit.layouts import (
    ALL_LAYERS,
    AUTO_LAYERS,
    SMALL_BATCH,
    Case,
    Wishes,
    largest_ctx,
    layout_for,
    usual_ctx,
)
from edge_agent.engine.fit.machine import Machine
from edge_agent.engine.fit.refusal import gib, refusal
from edge_agent.engine.fit.shape import Estimate, Layout, ModelShape
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

LEAST_CTX = 2_048  # with less an agent run cannot end: then the machine is too small
MAX_CACHE_BYTES = 512 << 20
CACHE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load, one line saying what was chosen and why, and what that will take."""

    spec: LoadSpec
    reason: str
    estimate: Estimate
    program_bytes: int

    @property
    def host_bytes(self) -> int:
        """All of the machine's own memory that is spoken for."""
        return self.estimate.host.total + self.program_bytes + self.spec.cache_bytes


def plan(shape: ModelShape, machine: Machine, wishes: Wishes) -> Plan:
    """The largest context and the fastest way to hold it; raises ModelLoadError if none fits."""
    case = Case(shape, machine, wishes)
    n_ctx = wishes.ctx_size or largest_ctx(case, LEAST_CTX, usual_ctx(shape))
    layout = layout_for(case, n_ctx) if n_ctx else None
    if layout is None:
        raise ModelLoadError(refusal(case, n_ctx or min(LEAST_CTX, usual_ctx(shape))))
    cost = case.estimate(layout)
    spec = _spec(case, layout, case.left(cost))
    return Plan(spec, _reason(case, layout, spec), cost, case.program_bytes)


def _spec(case: Case, layout: Layout, left: int) -> LoadSpec:
    whole = layout.gpu_layers > len(case.shape.layers)
    return LoadSpec(
        path=case.shape.path,
        n_ctx=layout.n_ctx,
        n_batch=layout.n_batch,
        n_parallel=layout.n_parallel,
        n_threads=case.wishes.threads or case.machine.n_cores,
        n_gpu_layers=ALL_LAYERS if whole else layout.gpu_layers,
        kv_type=layout.kv_type,
        adapters=case.wishes.adapters,
        cache_bytes=_cache_bytes(case, left),
    )


def _cache_bytes(case: Case, left: int) -> int:
    """What was asked for, which `left` counts already, or what is left within the usual share."""
    if case.wishes.cache_bytes is not None:
        return case.wishes.cache_bytes
    return min(MAX_CACHE_BYTES, int(case.machine.available_bytes * CACHE_SHARE), left)


def _reason(case: Case, layout: Layout, spec: LoadSpec) -> str:
    """One line: what was chosen, what it takes, and what was given up for what."""
    cost = case.estimate(layout)
    there = f"{gib(case.machine.available_bytes)} available"
    takes = f"{gib(cost.host.total + case.program_bytes + spec.cache_bytes)} of memory ({there})"
    if layout.gpu_layers:
        free = sum(gpu.free_bytes for gpu in case.machine.gpus)
        takes += f" and {gib(cost.device.total)} of the GPU's ({gib(free)} free)"
    chosen = (
        f"{spec.n_ctx} tokens of context in {spec.kv_type} KV cells, {spec.n_parallel} sequences "
        f"at once, batches of {spec.n_batch}, {_where(case, layout, spec)}, taking {takes}"
    )
    return "; ".join([chosen, *_given_up(case, layout)])


def _where(case: Case, layout: Layout, spec: LoadSpec) -> str:
    threads = f"{spec.n_threads} CPU thread{'s' if spec.n_threads > 1 else ''}"
    if not layout.gpu_layers:
        return f"on {threads}"
    names = ", ".join(gpu.name for gpu in case.machine.gpus)
    if layout.gpu_layers > len(case.shape.layers):
        return f"all of it on {names}"
    return f"{layout.gpu_layers} of {len(case.shape.layers) + 1} layers on {names}, {threads}"


def _given_up(case: Case, layout: Layout) -> Iterator[str]:
    """What a larger machine would have had, with the bytes that were missing."""
    wishes = case.wishes
    if not wishes.ctx_size and layout.n_ctx < usual_ctx(case.shape):
        yield f"no more context than that fits (usual are {usual_ctx(case.shape)} tokens)"
    if wishes.kv_type == "auto" and layout.kv_type == "q8_0":
        yield f"f16 cells would need {_lacking(case, replace(layout, kv_type='f16'))} more"
    if layout.n_batch == SMALL_BATCH and not wishes.batch_size:
        yield "small batches, to save memory"
    if wishes.n_gpu_layers == AUTO_LAYERS and 0 < layout.gpu_layers <= len(case.shape.layers):
        yield "the GPU holds no more layers"


def _lacking(case: Case, layout: Layout) -> str:
    return gib(max(-case.left(case.estimate(layout)), 0))
