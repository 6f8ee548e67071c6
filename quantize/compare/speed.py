"""How fast a model is on this machine, and how much memory it takes."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from quantize.context import BATCH, Loaded

PREFILL_TOKENS, DECODE_TOKENS = 256, 32
STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second; bytes of the process at its largest, the model's file in it."""

    prefill: float
    decode: float
    memory_bytes: int


def time_model(model: Loaded, n_ctx: int) -> Speed:
    """Read PREFILL_TOKENS, then DECODE_TOKENS one by one; a first pass is not counted."""
    n = min(PREFILL_TOKENS, n_ctx - DECODE_TOKENS)
    ids = [id % model.n_vocab for id in range(1000, 1000 + n)]
    _prefill(model, ids[:BATCH])
    started = time.perf_counter()
    _prefill(model, ids)
    read = time.perf_counter()
    for i in range(DECODE_TOKENS):
        model.read([ids[i % n]], n + i, 1)
    done = time.perf_counter()
    return Speed(n / (read - started), DECODE_TOKENS / (done - read), peak_bytes())


def _prefill(model: Loaded, ids: list[int]) -> None:
    model.forget()
    for at in range(0, len(ids), BATCH):
        part = ids[at : at + BATCH]
        model.read(part, at, 1 if at + len(part) == len(ids) else 0)


def peak_bytes() -> int:
    """The most memory this process has had in RAM."""
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, kilobytes elsewhere
