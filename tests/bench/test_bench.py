"""The bench against a real model, at sizes that take seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.bench.report import Report, Result, Target, report_as_json
from edge_agent.bench.rig import Sizes, Stream
from edge_agent.bench.runner import chosen, open_rig, run_bench
from edge_agent.bench.suites import OWN_TOKENS, SUITES, share, turns
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import NotFound

SMALL = Sizes(prompt=48, decoded=12, prefix=120, long=160, observation=20, turns=3, many=2)


def spec_of(path: Path) -> LoadSpec:
    return LoadSpec(str(path), SMALL.n_ctx, n_batch=64, n_parallel=2, n_threads=1)


async def test_every_suite_gives_its_figures_in_the_promised_shape(smollm2_path: Path) -> None:
    said: list[str] = []
    report = await run_bench("smol", spec_of(smollm2_path), [], 1, said.append, SMALL)
    whole = json.loads(json.dumps(report_as_json(report)))
    assert set(whole) == {"machine", "model", "results"}
    assert {"cores", "memory_bytes", "system_info"} <= set(whole["machine"])
    assert whole["model"]["file"] == smollm2_path.name
    for result in whole["results"]:
        assert set(result) == {"suite", "case", "value", "unit", "target", "ok"}
        assert (result["ok"] is None) == (result["target"] is None)
    assert {result["suite"] for result in whole["results"]} == set(SUITES)
    cases = {result["case"] for result in whole["results"] if result["suite"] == "decode"}
    assert {"1 sequence, engine / bare", "2 sequences, engine / bare"} <= cases
    assert f"{next(iter(SUITES))}: warm-up" in said


async def test_what_is_counted_is_what_was_computed(smollm2_path: Path) -> None:
    async with open_rig(spec_of(smollm2_path), SMALL, print) as rig:
        assert await share(rig) == {"prompt tokens computed": OWN_TOKENS}
        # of each turn its observation, and the last token written before, which had no cell yet
        assert (await turns(rig))["tokens computed per turn"] == SMALL.observation + 1
        prompt = rig.prompt(50)
        assert (await rig.run(prompt, 3)).computed == 50
        assert (await rig.run(prompt, 3)).computed == 1


async def test_the_bare_loop_and_the_engine_write_the_same(smollm2_path: Path) -> None:
    async with open_rig(spec_of(smollm2_path), SMALL, print) as rig:
        prompt = rig.prompt(40)
        assert rig.bare.write(prompt, 8) == (await rig.run(prompt, 8)).ids


def test_an_unknown_suite_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'speed'.*decode, prefill"):
        chosen(["decode", "speed"])
    assert chosen(["turns", "decode"]) == ["decode", "turns"]


def test_a_target_is_met_from_its_own_side() -> None:
    fast, small = Target("ratio", 0.97), Target("s", 0.25, "at most")
    assert (fast.met(0.98), fast.met(0.9), small.met(0.2), small.met(0.3)) == (1, 0, 1, 0)
    assert Target("s").met(5) is None
    missed = Result("cancel", "seconds", 0.3, small)
    assert not Report({}, {}, (missed,)).ok


def test_gaps_are_those_that_reach_into_the_time() -> None:
    stream = Stream(times=[0.0, 1.0, 5.0, 6.0])
    assert stream.gaps(2.0, 4.0) == [4.0]
    assert stream.gaps(0.5, 5.5) == [1.0, 4.0, 1.0]


def test_the_window_holds_the_largest_suite() -> None:
    sizes = Sizes()
    assert sizes.n_ctx > sizes.prompt + sizes.turns * sizes.observation
    assert sizes.n_ctx > 2 * sizes.prefix
