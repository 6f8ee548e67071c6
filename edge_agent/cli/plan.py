"""`edge-agent plan`: how a model would be loaded here, without loading it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.choose import choose
from edge_agent.cli.engine_options import (
    BatchSize,
    CacheRam,
    CacheTypeK,
    CacheTypeV,
    GpuLayers,
    KvTypeName,
    Lora,
    LoraScaled,
    Parallel,
    kv_type_of,
    lora_of,
)
from edge_agent.cli.loading import plan_of
from edge_agent.cli.options import AsJson, CtxSize, Model, Threads
from edge_agent.cli.terminal import guarded, print_json, settings_of
from edge_agent.config import Settings
from edge_agent.engine.fit.machine import Machine
from edge_agent.engine.fit.planner import Plan
from edge_agent.errors import NotFound

MIB = 1 << 20


def plan(
    model: Model = None,
    ctx_size: CtxSize = None,
    parallel: Parallel = None,
    batch_size: BatchSize = None,
    threads: Threads = None,
    n_gpu_layers: GpuLayers = None,
    kv_type: KvTypeName = None,
    cache_type_k: CacheTypeK = None,
    cache_type_v: CacheTypeV = None,
    lora: Lora = None,
    lora_scaled: LoraScaled = None,
    cache_ram: CacheRam = None,
    as_json: AsJson = False,
) -> None:
    """Show how a model would be loaded on this machine, what it takes, and why."""
    settings = guarded(
        lambda: settings_of(
            model=model,
            ctx_size=ctx_size,
            parallel=parallel,
            batch_size=batch_size,
            threads=threads,
            n_gpu_layers=n_gpu_layers,
            kv_type=kv_type_of(kv_type, cache_type_k, cache_type_v),
            lora=lora_of(lora, lora_scaled),
            cache_ram=cache_ram,
        )
    )
    machine = Machine.here()
    path = guarded(lambda: installed_path(settings, machine.available_bytes))
    planned = guarded(lambda: plan_of(path, settings, machine))
    if as_json:
        print_json(plan_as_json(planned, machine))
    else:
        _print(planned, machine, Console())


def installed_path(settings: Settings, memory_bytes: int) -> Path:
    """The file of the model that would be loaded; raises NotFound when it is not here yet."""
    catalog = Catalog.load(settings.models_dir)
    choice = choose(settings.model, settings.models_dir, catalog, memory_bytes, lambda card: False)
    if choice.path is None:
        raise NotFound(
            f"{choice.name} is not on this device yet: run `edge-agent pull {choice.name}`, or "
            "name a file with --model."
        )
    return choice.path


def plan_as_json(planned: Plan, machine: Machine) -> dict[str, Any]:
    """Sizes in bytes and tokens."""
    cost = planned.estimate
    return {
        "reason": planned.reason,
        "load": asdict(planned.spec),
        "bytes": {
            "host": {**asdict(cost.host), **_own_bytes(planned), "total": planned.host_bytes},
            "device": {**asdict(cost.device), "total": cost.device.total},
        },
        "machine": asdict(machine),
    }


def _own_bytes(planned: Plan) -> dict[str, int]:
    return {"programs": planned.program_bytes, "cache": planned.spec.cache_bytes}


def _print(planned: Plan, machine: Machine, console: Console) -> None:
    spec = planned.spec
    chosen = Table("choice", "value", box=None)
    for name, value in (
        ("model", Path(spec.path).name),
        ("context, tokens", spec.n_ctx),
        ("KV type", spec.kv_type),
        ("sequences at once", spec.n_parallel),
        ("tokens per step", spec.n_batch),
        ("CPU threads", spec.n_threads),
        ("GPU layers", "all" if spec.n_gpu_layers < 0 else spec.n_gpu_layers),
        *((f"adapter at {adapter.scale:g}", adapter.path) for adapter in spec.adapters),
    ):
        chosen.add_row(name, str(value))
    console.print(chosen)
    console.print(_memory_table(planned, machine))
    console.print(f"{planned.reason}.", soft_wrap=True, highlight=False)


def _memory_table(planned: Plan, machine: Machine) -> Table:
    """MiB by part; a column for the GPU where there is one."""
    host = {**asdict(planned.estimate.host), **_own_bytes(planned), "total": planned.host_bytes}
    device = {**asdict(planned.estimate.device), "total": planned.estimate.device.total}
    host["available"] = machine.available_bytes
    device["available"] = sum(gpu.free_bytes for gpu in machine.gpus)
    columns = [Column("MiB of"), Column("memory", justify="right")]
    table = Table(*columns, *([Column("GPU", justify="right")] if machine.gpus else []), box=None)
    for part, n_bytes in host.items():
        on_gpu = [f"{device.get(part, 0) / MIB:,.0f}"] if machine.gpus else []
        table.add_row(part, f"{n_bytes / MIB:,.0f}", *on_gpu)
    return table
