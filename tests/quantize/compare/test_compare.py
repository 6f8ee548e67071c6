from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_agent.errors import BadModelFile, RequestError
from quantize.__main__ import main
from quantize.compare.command import EVALUATION
from quantize.compare.compare import Comparison, Setup, Verdict, compare
from quantize.compare.divergence import Divergence
from quantize.compare.measure import Measured
from quantize.compare.report import COLUMNS, as_json, plot, table
from quantize.compare.speed import Speed
from quantize.compare.turns import Taken
from quantize.compare.verdict import Gate, failures
from quantize.convert.convert import convert
from quantize.gguf import Asked, quantize_gguf
from tests.quantize.checkpoints import LLAMA, write_byte_bpe, write_checkpoint


@pytest.fixture(scope="module")
def compared(small_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("smaller")
    paths = [
        quantize_gguf(small_gguf, folder / f"{type}.gguf", Asked(type, 1)).path
        for type in ("Q8_0", "Q3_K_M")
    ]
    setup = Setup(EVALUATION.read_text("utf-8"), 128, 2)
    return compare(small_gguf, paths, setup, Gate(tail=9, agreement=0.9))


def test_fewer_bits_lie_further_away(compared: Comparison) -> None:
    near, far = (verdict.measured for verdict in compared.verdicts)
    assert 0 < near.divergence.kl_mean < far.divergence.kl_mean
    assert near.divergence.top_agreement > far.divergence.top_agreement
    assert far.size_bytes < near.size_bytes < compared.reference.size_bytes
    assert near.divergence.kl_mean <= near.divergence.kl_tail <= near.divergence.kl_max
    assert not compared.passed
    assert any("agreement" in reason for reason in compared.verdicts[1].failures)


def test_everything_is_measured_of_every_model(compared: Comparison) -> None:
    models = (compared.reference, *(verdict.measured for verdict in compared.verdicts))
    # of one alone a moment in which another program had the core would say nothing
    assert max(m.speed.prefill for m in models) > min(m.speed.decode for m in models) > 0
    for model in models:
        assert model.speed.memory_bytes > 1 << 20
        assert len(model.turns) == 12
    told = as_json(compared)
    assert json.loads(json.dumps(told))["models"][0]["kl_mean"] == 0
    lines = table(compared).splitlines()
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}
    assert "reference" in lines[2]


def test_the_plot_is_an_image_with_every_model(compared: Comparison) -> None:
    root = ElementTree.fromstring(plot(compared))
    assert root.tag.endswith("svg")
    texts = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert {"Q8_0", "Q3_K_M", "small"} <= texts


def test_the_exit_code_is_the_verdict(
    small_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(small_gguf), str(small_gguf), "--turn-tokens", "0", "--threads", "1"]
    words += ["--chunk", "64", "--chunks", "1", "--plot", str(tmp_path / "plot.svg")]
    assert main(words) == 0
    assert "passes" in capsys.readouterr().out
    assert (tmp_path / "plot.svg").read_text().startswith("<svg")
    assert main([*words, "--min-agreement", "1.1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_other_vocabularies_and_other_files_are_said(small_gguf: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", {**LLAMA, "vocab_size": 400})
    write_byte_bpe(folder)
    other = convert(folder, tmp_path / "other.gguf").path
    setup = Setup("text", 64, 1, turn_tokens=0)
    with pytest.raises(RequestError, match="has a vocabulary of 400 tokens"):
        compare(small_gguf, [other], setup, Gate())
    with pytest.raises(BadModelFile, match="cannot be read"):
        compare(small_gguf, [tmp_path / "gone.gguf"], setup, Gate())
    with pytest.raises(RequestError, match="give a longer text"):
        compare(small_gguf, [small_gguf], setup, Gate())


def measured(found: Divergence, turns: Sequence[Taken] = ()) -> Measured:
    return Measured(Path("m.gguf"), 1, (), 1, Speed(1, 1, 1), found, tuple(turns))


def test_each_bound_of_the_gate_can_fail_alone() -> None:
    best = measured(Divergence(10.0, 0, 0, 0, 1.0))
    fine = Divergence(10.1, 0.01, 0.1, 1.0, 0.97)
    assert failures(best, measured(fine), Gate()) == []
    for worse, said in (
        (replace(fine, kl_mean=0.2), "mean KL"),
        (replace(fine, kl_tail=2.0), "KL at 99 %"),
        (replace(fine, top_agreement=0.5), "agreement"),
        (replace(fine, perplexity=12.0), "perplexity x1.2"),
    ):
        (reason,) = failures(best, measured(worse), Gate())
        assert said in reason


def test_turns_count_only_where_the_reference_took_them() -> None:
    best = Divergence(10.0, 0, 0, 0, 1.0)
    good = [Taken(str(i), True, True, True, "") for i in range(3)]
    bad = [replace(turn, valid=False) for turn in good]
    (reason,) = failures(measured(best, good), measured(best, bad), Gate())
    assert reason == "3 turns no longer valid (0, 1, 2)"
    assert failures(measured(best, bad), measured(best, bad), Gate()) == []
    assert Comparison(measured(best), [Verdict(measured(best), [])]).passed
