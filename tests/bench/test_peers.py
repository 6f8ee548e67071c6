"""The peers, where they are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_agent.bench.runner import Wanted, run_bench
from edge_agent.bench.servers import has_modules
from edge_agent.bench.sizes import QUICK
from edge_agent.engine.params import LoadSpec

MODULES = {"xllamacpp": ["xllamacpp"], "llama_cpp.server": ["llama_cpp", "starlette_context"]}


@pytest.mark.parametrize("peer", sorted(MODULES))
async def test_a_peer_answers_or_shows_what_it_lacks(peer: str, smollm2_path: Path) -> None:
    if not has_modules(sys.executable, MODULES[peer]):
        pytest.skip(f"{peer} is not installed")
    spec = LoadSpec(str(smollm2_path), QUICK.n_ctx, n_batch=64, n_parallel=2, n_threads=1)
    wanted = Wanted(["decode", "prune"], [peer], rounds=1, sizes=QUICK)
    report = await run_bench("smol", spec, wanted, print)
    rows = {result.case: result for result in report.results}
    speed = rows[f"1 sequence, over bare, {peer}"].value
    assert speed is not None and 0.05 < speed < 20
    assert rows[f"computed again / pruned, {peer}"].value is None
