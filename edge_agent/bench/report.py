"""What a bench measured: figures with their targets, on which machine, with which model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

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
    """One figure; value is None where what was measured lacks the ability (`note` says how)."""

    suite: str
    case: str
    value: float | None
    target: Target
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the target was met: not by what cannot do it; None where there is no target."""
        if self.value is None:
            return None if self.target.value is None else False
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
    """`{"machine", "model", "results": [{"suite","case","value","unit","target","ok"}]}`.

    A result also has "bound" where it has a target ("at least" or "at most"), and "lacks" where
    its value is null.
    """
    return {
        "machine": report.machine,
        "model": report.model,
        "results": [_row(result) for result in report.results],
    }


def _row(result: Result) -> dict[str, Any]:
    value, target = result.value, result.target
    row: dict[str, Any] = {
        "suite": result.suite,
        "case": result.case,
        "value": None if value is None else round(value, 4),
        "unit": target.unit,
        "target": target.value,
        "ok": result.ok,
    }
    if target.value is not None:
        row["bound"] = target.bound
    if value is None:
        row["lacks"] = result.note
    return row


def describe_model(name: str, info: ModelInfo, spec: LoadSpec) -> dict[str, Any]:
    """The file and how it was loaded."""
    loaded = {key: value for key, value in asdict(spec).items() if key not in ("path", "cache_dir")}
    return {
        "name": name,
        "file": Path(info.path).name,
        "description": info.description,
        "size_bytes": info.size_bytes,
        **loaded,
        "n_ctx": info.n_ctx,
    }
