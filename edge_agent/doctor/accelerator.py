"""Accelerators: whether there are any, and whether llama.cpp uses them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from edge_agent.doctor.build import REBUILD, Build
from edge_agent.doctor.finding import Finding
from edge_agent.engine.fit.machine import Gpu

GIB = 1 << 30
NVIDIA = (Path("/dev/nvidia0"), Path("/dev/nvhost-gpu"), Path("/dev/nvgpu/igpu0"))  # and Jetson
CUDA = "-DGGML_CUDA=on"
METAL = "-DGGML_METAL=on"


def on_accelerator(
    build: Build, gpus: Sequence[Gpu], devices: Sequence[Path] = NVIDIA
) -> list[Finding]:
    """gpus: those that llama.cpp sees. devices: files of which one shows that a GPU is there."""
    name = "accelerator"
    if gpus:
        return [Finding(name, "good", f"llama.cpp uses {_named(gpu)}.") for gpu in gpus]
    flag = _missing(devices)
    if flag is None:
        return [Finding(name, "good", "There is none that is known here; the processor computes.")]
    if build.offloads:
        return [
            Finding(
                name,
                "problem",
                "llama.cpp was built for an accelerator and sees none.",
                "See whether its driver is loaded and this user may use it (`nvidia-smi`); in a "
                "container, run it with `--gpus all`.",
            )
        ]
    return [
        Finding(
            name,
            "note",
            "There is an accelerator, and this llama.cpp was built without support for it.",
            f'Rebuild it: CMAKE_ARGS="{flag}" {REBUILD}.',
        )
    ]


def _missing(devices: Sequence[Path]) -> str | None:
    if any(device.exists() for device in devices):
        return CUDA
    is_apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return METAL if is_apple else None


def _named(gpu: Gpu) -> str:
    memory = f"{gpu.free_bytes / GIB:.1f} of {gpu.total_bytes / GIB:.1f} GiB free"
    return f"{gpu.name} ({'the memory of the machine, ' if gpu.unified else ''}{memory})"
