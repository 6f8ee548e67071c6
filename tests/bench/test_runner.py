"""Whole runs of the bench against a real model, at sizes that take seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.bench.report import report_as_json
from edge_agent.bench.runner import Wanted, chosen, run_bench
from edge_agent.bench.sizes import OWN_TOKENS, QUICK
from edge_agent.bench.suites.table import SUITES
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import NotFound

THROUGH_HTTP = ("decode", "share", "turns", "fit")


def spec_of(path: Path) -> LoadSpec:
    return LoadSpec(str(path), QUICK.n_ctx, n_batch=64, n_parallel=QUICK.many, n_threads=1)


async def rows_of(path: Path, *suites: str, contender: str) -> dict[str, dict[str, Any]]:
    """`suite: case` -> row, of one round."""
    said: list[str] = []
    wanted = Wanted(suites, [contender], rounds=1, sizes=QUICK)
    report = await run_bench("smol", spec_of(path), wanted, said.append)
    whole = json.loads(json.dumps(report_as_json(report)))
    assert set(whole) == {"machine", "model", "results"}
    assert {"processor", "cores", "memory_bytes", "system_info"} <= set(whole["machine"])
    assert whole["model"]["file"] == path.name
    assert any(line.endswith(f"{contender}: round 1 of 1") for line in said)
    return {f"{row['suite']}: {row['case']}": row for row in whole["results"]}


async def test_every_suite_of_the_engine_gives_figures_that_make_sense(smollm2_path: Path) -> None:
    rows = await rows_of(smollm2_path, contender="engine")
    for row in rows.values():
        assert {"suite", "case", "value", "unit", "target", "ok"} <= set(row)
        assert row["value"] is not None, row
    inside = {name for name, suite in SUITES.items() if "engine" in suite.kinds}
    assert {row["suite"] for row in rows.values()} == inside
    assert rows["share: prompt tokens computed"]["value"] == OWN_TOKENS
    # of each turn its observation, and the last token written before, which had no cell yet
    assert rows["turns: computed per turn"]["value"] == QUICK.observation + 1
    assert rows["restart: prompt tokens computed"]["value"] <= 16
    assert rows["prune: prompt tokens computed"]["value"] <= 16
    rest = QUICK.transcript - QUICK.pruned - (QUICK.transcript - QUICK.pruned) // 2
    assert rows["prune: prompt tokens computed otherwise"]["value"] == rest + OWN_TOKENS
    assert 0 < rows["cancel: p99"]["value"] < 10
    for case in ("decode: 1 sequence, over bare", "prefill: 2 sequences, over bare"):
        assert 0.05 < rows[case]["value"] < 20


async def test_every_suite_through_http_gives_figures_that_make_sense(smollm2_path: Path) -> None:
    rows = await rows_of(smollm2_path, *THROUGH_HTTP, contender="HTTP")
    assert all(row["case"].endswith(", HTTP") for row in rows.values())
    assert {row["suite"] for row in rows.values()} == set(THROUGH_HTTP)
    assert rows["share: prompt tokens computed, HTTP"]["value"] < QUICK.prefix // 2
    assert 0.05 < rows["decode: 2 sequences, over bare, HTTP"]["value"] < 20
    fit = {case.partition(", HTTP")[0]: row["value"] for case, row in rows.items()}
    assert fit["fit: resident"] > fit["fit: model file"] > 90
    assert fit["fit: KV cells"] > 1 and fit["fit: compute buffer"] > 1


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'speed'.*decode, prefill"):
        chosen(["decode", "speed"])
    assert chosen(["turns", "decode"]) == ["decode", "turns"]


async def test_an_unknown_contender_is_named_with_those_there_are(smollm2_path: Path) -> None:
    with pytest.raises(NotFound, match=r"'vllm'.*engine, HTTP"):
        await rows_of(smollm2_path, "share", contender="vllm")
