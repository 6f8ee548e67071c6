"""The processor: its cores, and whether llama.cpp uses what it can do."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from edge_agent.doctor.build import REBUILD, Build
from edge_agent.doctor.finding import Finding

CPUINFO = Path("/proc/cpuinfo")
# what Linux calls a feature, and llama.cpp does; those that its kernels gain by
X86: Mapping[str, str] = MappingProxyType(
    {
        "avx": "AVX",
        "avx2": "AVX2",
        "fma": "FMA",
        "f16c": "F16C",
        "avx_vnni": "AVX_VNNI",
        "avx512f": "AVX512",
        "avx512_vnni": "AVX512_VNNI",
        "avx512_bf16": "AVX512_BF16",
    }
)
ARM: Mapping[str, str] = MappingProxyType(
    {"asimd": "NEON", "asimddp": "DOTPROD", "i8mm": "MATMUL_INT8", "sve": "SVE"}
)


def flags_of(cpuinfo: str) -> frozenset[str]:
    """The features that every core has, as Linux names them."""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    sets = [set(v.split()) for k, _, v in lines if k.strip().casefold() in ("flags", "features")]
    return frozenset(set.intersection(*sets)) if sets else frozenset()


def on_processor(build: Build, n_cores: int, cpuinfo: Path = CPUINFO) -> list[Finding]:
    """Its cores, and what llama.cpp leaves unused. n_cores: those that this process may use."""
    there = os.cpu_count() or n_cores
    told = f"{platform.machine()}, {n_cores} of {there} cores may be used for computing."
    cores = Finding("processor", "good" if n_cores > 1 else "note", told)
    try:
        flags = flags_of(cpuinfo.read_text())
    except OSError:  # no Linux
        return [cores]
    return [cores, _use_of(flags, build.features)]


def _use_of(flags: Collection[str], used: Collection[str]) -> Finding:
    known = {**X86, **ARM}
    unused = [name for flag, name in known.items() if flag in flags and name not in used]
    if not unused:
        return Finding("instruction sets", "good", "llama.cpp uses all that matter to it.")
    return Finding(
        "instruction sets",
        "note",
        f"The processor has {', '.join(unused)}, and this llama.cpp does not use it.",
        f"Build it on this machine: {REBUILD}.",
    )
