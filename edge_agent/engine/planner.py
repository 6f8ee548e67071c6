"""From a model's shape, this machine and what was asked: how the engine loads it, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from llama_cpp import llama_cpp as lib

from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

DEFAULT_CTX = 16_384  # what an agent run wants; smaller where memory is short
LEAST_CTX = 2_048
DEFAULT_BATCH = 512
DEFAULT_PARALLEL = 4
KV_BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # per element; q8_0 stores 32 values in 34 bytes
MEMORY_SHARE = 0.9  # of what is available, the rest stays with the other programs
COMPUTE_BYTES = 350 << 20  # llama.cpp's compute buffer and both processes, an upper estimate


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The facts of a GGUF header that decide how much memory it needs. Sizes in bytes, tokens."""

    path: str
    file_bytes: int
    n_ctx_train: int
    n_layers: int
    n_kv_heads: int
    head_dim: int

    def kv_bytes_per_token(self, kv_type: str) -> float:
        """Keys and values of all layers for one token."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim * KV_BYTES[kv_type]


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run on."""

    available_bytes: int
    n_cores: int
    has_gpu: bool

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        physical = psutil.cpu_count(logical=False) or 1
        return cls(
            available_bytes=psutil.virtual_memory().available,
            n_cores=min(cores or physical, max(physical, 1)),
            has_gpu=bool(lib.llama_supports_gpu_offload()),
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings ask for; 0 (for layers: -2) leaves the choice to the planner."""

    ctx_size: int = 0
    parallel: int = 0
    batch_size: int = 0
    threads: int = 0
    n_gpu_layers: int = -2
    kv_type: Literal["f16", "q8_0"] = "f16"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load, and one line saying what was chosen and why."""

    spec: LoadSpec
    reason: str


def plan(shape: ModelShape, machine: Machine, wishes: Wishes) -> Plan:
    """Choose context, batch, threads and layers; raises ModelLoadError when it cannot fit."""
    budget = machine.available_bytes * MEMORY_SHARE - shape.file_bytes - COMPUTE_BYTES
    per_token = shape.kv_bytes_per_token(wishes.kv_type)
    fits = int(budget / per_token) if budget > 0 else 0
    n_ctx = wishes.ctx_size or _largest_ctx(shape, fits)
    if fits < max(n_ctx, 1):
        raise ModelLoadError(_refusal(shape, machine, n_ctx, per_token, fits))
    gpu = machine.has_gpu and wishes.n_gpu_layers != 0
    spec = LoadSpec(
        path=shape.path,
        n_ctx=n_ctx,
        n_batch=min(wishes.batch_size or DEFAULT_BATCH, n_ctx),
        n_parallel=wishes.parallel or DEFAULT_PARALLEL,
        n_threads=wishes.threads or machine.n_cores,
        n_gpu_layers=(-1 if wishes.n_gpu_layers == -2 else wishes.n_gpu_layers) if gpu else 0,
        kv_type=wishes.kv_type,
    )
    return Plan(spec, _reason(shape, machine, spec, per_token))


def _largest_ctx(shape: ModelShape, fits: int) -> int:
    ctx = min(DEFAULT_CTX, shape.n_ctx_train)
    while ctx > LEAST_CTX and ctx > fits:
        ctx //= 2
    return ctx


def _gib(n_bytes: float) -> str:
    return f"{n_bytes / (1 << 30):.1f} GiB"


def _refusal(shape: ModelShape, machine: Machine, n_ctx: int, per_token: float, fits: int) -> str:
    needed = shape.file_bytes + COMPUTE_BYTES + n_ctx * per_token
    nearest = fits // 256 * 256
    smaller = "close other programs or use a smaller model"
    way_out = f"use --ctx-size {nearest}" if nearest >= 512 else smaller
    return (
        f"{Path(shape.path).name} with {n_ctx} tokens of context needs {_gib(needed)} of "
        f"memory, and {_gib(machine.available_bytes)} are available: {way_out}."
    )


def _reason(shape: ModelShape, machine: Machine, spec: LoadSpec, per_token: float) -> str:
    where = "GPU" if spec.n_gpu_layers else f"{spec.n_threads} CPU threads"
    return (
        f"{spec.n_ctx} tokens of context ({_gib(spec.n_ctx * per_token)} of {spec.kv_type} KV "
        f"cells beside {_gib(shape.file_bytes)} of weights, {_gib(machine.available_bytes)} "
        "available), "
        f"{spec.n_parallel} sequences at once, batches of {spec.n_batch}, on {where}"
    )
