"""The machine that a bench ran on, and what its processes hold. Linux tells most."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.engine.core.llama import BINDING_VERSION

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
PROC = Path("/proc")


def describe_machine(system_info: str, load_average: float) -> dict[str, Any]:
    """Processor, cores, memory (bytes), and how busy it was when the bench began."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "governor": _read(GOVERNOR).strip() or None,
        "load_average": round(load_average, 2),
        "system_info": system_info.strip(),
        "python": platform.python_version(),
        "llama_cpp_python": BINDING_VERSION,
    }


def _processor() -> str:
    named = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _read(PROC / "cpuinfo"), re.MULTILINE)
    return named[1].strip() if named else platform.processor() or "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    return [pid, *(below for child in _children(pid) for below in family(child))]


def _children(pid: int) -> Iterator[int]:
    for listed in (PROC / str(pid) / "task").glob("*/children"):
        yield from (int(child) for child in _read(listed).split())


def resident_bytes(pid: int) -> dict[str, int]:
    """What a process has in memory, in bytes by the names of smaps_rollup (Rss, Pss, Pss_Anon).

    Empty where the system does not tell.
    """
    lines = _read(PROC / str(pid) / "smaps_rollup").splitlines()
    found = (re.match(r"(\w+):\s+(\d+) kB", line) for line in lines)
    return {match[1]: int(match[2]) << 10 for match in found if match}


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, in the kernel too."""
    fields = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:13])) if fields else 0
    return ticks / os.sysconf("SC_CLK_TCK")
