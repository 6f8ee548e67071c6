"""`fit`: the memory that is neither the model, nor its cells, nor llama.cpp's compute buffer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.machine import resident_bytes
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, run
from edge_agent.bench.subject import Ask
from edge_agent.bench.suite import THROUGH_HTTP, Figure, Samples, Suite

MB = 1e6
BEYOND = "resident beyond model + KV + compute"


async def fit(rig: Rig) -> Samples:
    """Resident memory of all processes of a server that has answered; a page of a library that
    several of them have mapped counts once (the kernel's proportional set size).

    How large the cells and the compute buffer are llama.cpp tells the bare loop, whose batches,
    sequences and cells are the same. The bare loop has ended when the server is measured.
    """
    buffers = await rig.bare.buffers()
    await rig.bare.aclose()
    subject = await rig.subject()
    await run(subject, Ask(subject.new(rig.sizes.prompt), rig.sizes.decoded))
    held = [resident for pid in subject.pids() if (resident := resident_bytes(pid))]
    if not held:
        raise Lacking("runs on a system that does not tell what a process has in memory")
    return {name: [size / MB] for name, size in _sizes(rig, held, buffers).items()}


def _sizes(rig: Rig, held: list[dict[str, int]], buffers: Mapping[str, float]) -> dict[str, float]:
    model = Path(rig.spec.path).stat().st_size
    cells, compute = _sum(buffers, "KV"), _sum(buffers, "compute")
    resident = sum(process["Pss"] for process in held)
    sizes = {
        BEYOND: resident - model - cells - compute,
        "resident": resident,
        "model file": model,
        "KV cells": cells,
        "compute buffer": compute,
        "repacked weights": _sum(buffers, "model CPU_REPACK"),
    }
    for number, process in enumerate(held, 1):
        sizes[f"process {number} of {len(held)}, anonymous"] = process["Pss_Anon"]
        sizes[f"process {number} of {len(held)}, of files"] = process["Pss"] - process["Pss_Anon"]
    return sizes


def _sum(buffers: Mapping[str, float], kind: str) -> float:
    return sum(size for name, size in buffers.items() if name.startswith(kind))


READ = ("resident", "model file", "KV cells", "compute buffer", "repacked weights")
FIT = Suite(
    fit,
    {
        BEYOND: Figure(Target("MB", 350, "at most")),
        **{name: Figure(Target("MB")) for name in (*READ, "anonymous", "of files")},
    },
    THROUGH_HTTP,
)
