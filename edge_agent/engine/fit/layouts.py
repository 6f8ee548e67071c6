"""The search for a way to load a model into what a machine has free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge_agent.engine.fit.machine import Machine
from edge_agent.engine.fit.shape import CTX_STEP, Estimate, KvType, Layout, ModelShape, estimate
from edge_agent.engine.params import Adapter

DEFAULT_CTX = 16_384  # what an agent run wants; smaller where memory is short
DEFAULT_BATCH = 512
GPU_BATCH = 1_024
SMALL_BATCH = 128  # nine tenths of a CPU's prefill speed for a quarter of the compute buffer
DEFAULT_PARALLEL = 4
MEMORY_SHARE = 0.9  # of what is free, the rest stays with the other programs
AUTO_LAYERS = -2
ALL_LAYERS = -1
# What each process takes beside llama.cpp's buffers: Python with its libraries (in the server also
# the embedding model), and for each token of the vocabulary the tables of llama.cpp, llguidance and
# tiktoken. Measured, see "Fit" in benchmarks/RESULTS.md.
ENGINE_BYTES = 60 << 20
SERVER_BYTES = 240 << 20
VOCAB_BYTES = 800


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings ask for; 0, "auto" and None leave the choice to the planner.

    n_gpu_layers: -1 is all, -2 leaves it to the planner. adapter_bytes: size of their files.
    """

    ctx_size: int = 0
    parallel: int = 0
    batch_size: int = 0
    threads: int = 0
    n_gpu_layers: int = AUTO_LAYERS
    kv_type: Literal["auto", "f16", "q8_0"] = "auto"
    cache_bytes: int | None = None
    adapters: tuple[Adapter, ...] = ()
    adapter_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """A model, a machine and wishes: what every step of the search needs."""

    shape: ModelShape
    machine: Machine
    wishes: Wishes

    @property
    def host_budget(self) -> int:
        return int(self.machine.available_bytes * MEMORY_SHARE)

    @property
    def device_budget(self) -> int:
        return int(sum(gpu.free_bytes for gpu in self.machine.gpus) * MEMORY_SHARE)

    @property
    def unified(self) -> bool:
        return any(gpu.unified for gpu in self.machine.gpus)

    @property
    def program_bytes(self) -> int:
        """Both processes without llama.cpp's buffers."""
        return engine_bytes(self.shape) + SERVER_BYTES + VOCAB_BYTES * self.shape.n_vocab

    def estimate(self, layout: Layout) -> Estimate:
        n_devices = max(len(self.machine.gpus), 1)
        return estimate(self.shape, layout, self.wishes.adapter_bytes, n_devices)

    def left(self, cost: Estimate) -> int:
        """Bytes of the machine's own memory that stay free, below 0 when too few are."""
        host = cost.host.total + self.program_bytes + (self.wishes.cache_bytes or 0)
        return self.host_budget - host - (cost.device.total if self.unified else 0)

    def fits(self, layout: Layout) -> bool:
        """Whether there is room for it in both kinds of memory."""
        cost = self.estimate(layout)
        return cost.device.total <= self.device_budget and self.left(cost) >= 0


def engine_bytes(shape: ModelShape) -> int:
    """The engine process without llama.cpp's buffers."""
    return ENGINE_BYTES + VOCAB_BYTES * shape.n_vocab


def usual_ctx(shape: ModelShape) -> int:
    """Tokens of context where nobody asked for a number and memory is plenty."""
    return min(DEFAULT_CTX, shape.n_ctx_train)


def largest_ctx(case: Case, least: int, most: int) -> int:
    """The most tokens of context that fit in some way, `most` or a multiple of CTX_STEP, or 0."""
    if layout_for(case, most) is not None:
        return most
    low, high = least // CTX_STEP - 1, -(-most // CTX_STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if layout_for(case, middle * CTX_STEP) else (low, middle)
    return low * CTX_STEP if low * CTX_STEP >= least else 0


def layout_for(case: Case, n_ctx: int) -> Layout | None:
    """The fastest way to hold so much context that fits."""
    return next((layout for layout in layouts(case, n_ctx) if case.fits(layout)), None)


def layouts(case: Case, n_ctx: int) -> Iterator[Layout]:
    """All ways to hold so much context, from the fastest to the smallest."""
    for gpu_layers in _gpu_layers(case):
        for kv_type, n_batch in _concessions(case, bool(gpu_layers)):
            yield Layout(
                n_ctx=n_ctx,
                n_batch=min(n_batch, n_ctx),
                n_parallel=case.wishes.parallel or DEFAULT_PARALLEL,
                kv_type=kv_type,
                gpu_layers=gpu_layers,
            )


def _gpu_layers(case: Case) -> Iterator[int]:
    """All of the model before a part of it: a layer on the CPU costs more than q8_0 cells do."""
    n_all = len(case.shape.layers) + 1
    wish = case.wishes.n_gpu_layers
    if not case.machine.gpus or wish == 0:
        yield 0
    elif wish == AUTO_LAYERS:
        yield from range(n_all, -1, -1)
    else:
        yield n_all if wish == ALL_LAYERS else min(wish, n_all)


def _concessions(case: Case, on_gpu: bool) -> Iterator[tuple[KvType, int]]:
    """What is given up, one after another: f16 cells, large batches.

    Measured on x86: with q8_0 cells the 135M and the 0.5B prefill a third slower.
    """
    usual, small = (GPU_BATCH, DEFAULT_BATCH) if on_gpu else (DEFAULT_BATCH, SMALL_BATCH)
    types = [t for t in _kv_types(case.wishes.kv_type) if case.shape.allows(t)]
    for kv_type in types:
        yield kv_type, case.wishes.batch_size or usual
    if types and not case.wishes.batch_size:
        yield types[-1], small


def _kv_types(wish: Literal["auto", "f16", "q8_0"]) -> tuple[KvType, ...]:
    return ("f16", "q8_0") if wish == "auto" else (wish,)
