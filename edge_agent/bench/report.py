"""What a bench measured: figures with their targets, on which machine, with which model."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edge_agent.engine.llama import BINDING_VERSION
from edge_agent.engine.params import LoadSpec, ModelInfo


@dataclass(frozen=True, slots=True)
class Target:
    """A figure's unit, and what it should reach; `bound` says from which side."""

    unit: str
    value: float | None = None
    bound: Literal["at least", "at most"] = "at least"

    def met(self, value: float) -> bool | None:
        """Whether `value` is good enough; None where nothing is asked."""
        if self.value is None:
            return None
        return value >= self.value if self.bound == "at least" else value <= self.value


@dataclass(frozen=True, slots=True)
class Result:
    """One figure: the median of the rounds."""

    suite: str
    case: str
    value: float
    target: Target

    @property
    def ok(self) -> bool | None:
        return self.target.met(self.value)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run of the bench."""

    machine: dict[str, Any]
    model: dict[str, Any]
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether every target was met."""
        return all(result.ok is not False for result in self.results)


def report_as_json(report: Report) -> dict[str, Any]:
    """`{"machine", "model", "results": [{"suite","case","value","unit","target","ok"}]}`."""
    return {
        "machine": report.machine,
        "model": report.model,
        "results": [
            {
                "suite": result.suite,
                "case": result.case,
                "value": round(result.value, 4),
                "unit": result.target.unit,
                "target": result.target.value,
                "ok": result.ok,
            }
            for result in report.results
        ],
    }


def describe_machine(system_info: str, load_average: float) -> dict[str, Any]:
    """Processor, cores, memory (bytes), and how busy it was when the bench began."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": round(load_average, 2),
        "system_info": system_info.strip(),
        "python": platform.python_version(),
        "llama_cpp_python": BINDING_VERSION,
    }


def describe_model(name: str, info: ModelInfo, spec: LoadSpec) -> dict[str, Any]:
    """The file and how it was loaded."""
    loaded = {key: value for key, value in asdict(spec).items() if key != "path"}
    return {
        "name": name,
        "file": Path(info.path).name,
        "description": info.description,
        "size_bytes": info.size_bytes,
        **loaded,
        "n_ctx": info.n_ctx,
    }
