"""The Markdown of a report."""

from __future__ import annotations

from typing import Any

from benchmarks.table import markdown
from edge_agent.bench.report import Report, Result, Target, report_as_json

MACHINE: dict[str, Any] = {
    "memory_bytes": 8 << 30,
    "processor": "Some CPU",
    "cores": 4,
    "load_average": 0.1,
    "governor": None,
    "llama_cpp_python": "0.3.36",
}
MODEL: dict[str, Any] = {
    "file": "some.gguf",
    "description": "a model",
    "n_ctx": 4096,
    "kv_type": "f16",
    "n_batch": 512,
    "n_threads": 4,
}


def test_every_figure_is_a_row_and_what_is_lacking_says_why() -> None:
    results = (
        Result("decode", "1 sequence, over bare", 0.98123, Target("ratio", 0.97)),
        Result("decode", "1 sequence, speed", 20.5, Target("tokens/s")),
        Result("prune", "a / b, other", None, Target("ratio", 20), "cannot"),
    )
    lines = markdown(report_as_json(Report(MACHINE, MODEL, results))).splitlines()
    assert lines[0].startswith("some.gguf (a model), 4096 tokens of f16 KV")
    assert "| `decode` | 1 sequence, over bare | 0.9812 | at least 0.97 | met |" in lines
    assert "|  | 1 sequence, speed | 20.5 tokens/s |  |  |" in lines
    assert "| `prune` | a / b, other | lacking | at least 20 | missed |" in lines
    assert lines[-1] == "- `prune`, other: cannot"
