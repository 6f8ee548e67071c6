from __future__ import annotations

from pathlib import Path

from edge_agent.catalog.installed import Installed
from edge_agent.doctor.models import on_computing, on_models, on_plan
from edge_agent.engine.fit.planner import Plan
from edge_agent.engine.fit.shape import Estimate, Parts
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

NOTHING = Estimate(Parts(), Parts())


def planned(path: Path) -> Plan:
    return Plan(LoadSpec(str(path), 4096, 512, 2, 1), "4096 tokens", NOTHING, 0)


def test_no_model_and_a_broken_one_are_problems() -> None:
    bad = Installed("bad", Path("bad.gguf"), 3, "chat", problem="It ends too early.")
    good = Installed("good", Path("good.gguf"), 3, "chat")
    assert [found.state for found in on_models([])] == ["problem"]
    assert [found.state for found in on_models([good, bad])] == ["good", "problem"]
    assert "edge-agent rm bad" in on_models([good, bad])[1].fix


def test_a_plan_is_told_with_the_file_and_its_failure_with_the_reason() -> None:
    assert on_plan(planned(Path("some.gguf"))).told == "some.gguf: 4096 tokens."
    assert on_plan(ModelLoadError("Too big.")).told == "Too big."


async def test_a_model_that_computes_is_good_and_a_file_that_is_none_a_problem(
    smollm2_path: Path, tmp_path: Path
) -> None:
    assert (await on_computing(planned(smollm2_path))).state == "good"
    empty = tmp_path / "empty.gguf"
    empty.write_bytes(b"GGUF")
    assert (await on_computing(planned(empty))).state == "problem"
