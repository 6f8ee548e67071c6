"""Prints what `edge-agent bench --json` wrote as a Markdown table.

python benchmarks/table.py figures.json [more.json ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HEAD = ("| suite | case | value | target | |", "|---|---|---|---|---|")
MARKS = {True: "met", False: "missed", None: ""}


def markdown(report: Json) -> str:
    """The machine, the model, and a row for each figure."""
    return "\n".join([*_about(report), "", *HEAD, *_rows(report["results"]), *_notes(report)])


def _about(report: Json) -> Iterator[str]:
    machine, model = report["machine"], report["model"]
    memory = machine["memory_bytes"] / (1 << 30)
    yield (
        f"{model['file']} ({model['description']}), {model['n_ctx']} tokens of {model['kv_type']} "
        f"KV, batches of {model['n_batch']}, {model['n_threads']} threads; {machine['processor']}, "
        f"{machine['cores']} cores, {memory:.0f} GiB, load {machine['load_average']} before, "
        f"governor {machine['governor'] or 'unknown'}, llama-cpp-python "
        f"{machine['llama_cpp_python']}."
    )


def _rows(results: list[Json]) -> Iterator[str]:
    before = None
    for row in results:
        suite = "" if row["suite"] == before else f"`{row['suite']}`"
        before = row["suite"]
        target = "" if row["target"] is None else f"{row['bound']} {row['target']:g}"
        yield f"| {suite} | {row['case']} | {_value(row)} | {target} | {MARKS[row['ok']]} |"


def _value(row: Json) -> str:
    return "lacking" if row["value"] is None else f"{row['value']:.4g} {_unit(row['unit'])}".strip()


def _unit(unit: str) -> str:
    return "" if unit == "ratio" else unit


def _notes(report: Json) -> Iterator[str]:
    """Why something is lacking, once for each suite and contender."""
    lacking = [row for row in report["results"] if row["value"] is None]
    reasons = {
        f"- `{row['suite']}`, {row['case'].rpartition(', ')[2]}: {row['lacks']}" for row in lacking
    }
    yield from ["", *sorted(reasons)] if reasons else []


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(markdown(json.loads(Path(name).read_text())), end="\n\n")
