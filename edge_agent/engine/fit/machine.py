"""What there is to run on: memory, cores and accelerators, as far as this process may use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_agent.engine.fit.cgroup import Cgroup
from edge_agent.engine.fit.gpus import offloads

PROBE_S = 30.0  # a driver that starts for the first time takes seconds
TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """An accelerator. unified: its memory is the machine's own."""

    name: str
    free_bytes: int
    total_bytes: int
    unified: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """available_bytes: memory other programs leave. n_cores: physical ones this process may use."""

    available_bytes: int
    n_cores: int
    gpus: tuple[Gpu, ...] = ()

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        return cls(
            available_bytes=available_bytes(),
            n_cores=usable_cores(Cgroup.here().cores()),
            gpus=find_gpus() if offloads() else (),
        )


def available_bytes() -> int:
    """Memory this process may still take without pushing others out."""
    free: int = psutil.virtual_memory().available
    limited = Cgroup.here().free_bytes()
    return free if limited is None else min(free, limited)


def total_bytes() -> int:
    """All the memory there is."""
    return int(psutil.virtual_memory().total)


def usable_cores(quota: float | None, topology: Path = TOPOLOGY) -> int:
    """Physical cores within the affinity and the cgroup's quota, at least 1."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = _physical(allowed, topology) if allowed is not None else psutil.cpu_count(False) or 1
    return max(min(cores, int(quota) if quota else cores), 1)


def _physical(cpus: list[int], topology: Path) -> int:
    """Cores that the logical processors are on; siblings share one."""
    try:
        pairs = {_core(topology / f"cpu{cpu}" / "topology") for cpu in cpus}
    except OSError:  # no such folder: in some containers, and where a processor went offline
        return min(len(cpus), psutil.cpu_count(logical=False) or len(cpus))
    return len(pairs)


def _core(folder: Path) -> tuple[str, str]:
    package = (folder / "physical_package_id").read_text().strip()
    return package, (folder / "core_id").read_text().strip()


def find_gpus() -> tuple[Gpu, ...]:
    """The accelerators llama.cpp sees; none where asking fails.

    Asked in a process of its own: some drivers keep hundreds of megabytes for whoever asked.
    """
    command = [sys.executable, "-m", "edge_agent.engine.fit.gpus"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_S, check=True)
        return tuple(Gpu(**device) for device in json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return ()
