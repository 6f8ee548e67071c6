from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gguf import GGUFReader

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile, RequestError
from quantize.__main__ import main
from quantize.convert.convert import convert
from quantize.gguf import Asked, Override, file_types, quantize_gguf
from quantize.importance.collect import Asked as AskedImportance
from quantize.importance.collect import collect
from quantize.importance.command import CALIBRATION
from quantize.importance.matrix import read_importance
from tests.patience import HANG_S
from tests.quantize.checkpoints import LLAMA, write_byte_bpe, write_checkpoint
from tests.signals import heeds_ctrl_c

ROOT = Path(__file__).resolve().parents[2]
WIDE = {**LLAMA, "hidden_size": 256, "intermediate_size": 512}


@pytest.fixture(scope="module")
def wide_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 256 and 512 weights, which every type fits."""
    folder = write_checkpoint(tmp_path_factory.mktemp("wide") / "wide", WIDE)
    write_byte_bpe(folder)
    return convert(folder, folder.parent / "wide.gguf").path


def kinds(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(path).tensors}


def test_a_real_model_comes_out_whole_and_of_another_type(
    smollm2_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.gguf"
    seen: list[tuple[int, int]] = []
    made = quantize_gguf(
        smollm2_path, target, Asked("Q4_0", 2), lambda _, done, n: seen.append((done, n))
    )
    before, after = read_gguf(smollm2_path), read_gguf(target)
    assert made.bytes_after == target.stat().st_size < smollm2_path.stat().st_size
    assert made.requantized
    assert after.n_parameters == before.n_parameters
    assert after.metadata["general.file_type"] == file_types()["Q4_0"]
    assert seen[-1] == (before.n_tensors, before.n_tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


@pytest.mark.parametrize("type", ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M"])
def test_the_usual_types_are_made(wide_gguf: Path, tmp_path: Path, type: str) -> None:
    made = quantize_gguf(wide_gguf, tmp_path / "out.gguf", Asked(type, 1))
    assert made.fallbacks == 0
    assert not made.requantized
    assert made.bytes_after < 0.6 * made.bytes_before
    assert read_gguf(made.path).metadata["general.file_type"] == file_types()[type]


def test_rows_that_do_not_fit_are_counted(small_gguf: Path, tmp_path: Path) -> None:
    made = quantize_gguf(small_gguf, tmp_path / "out.gguf", Asked("Q4_K_M", 1))
    assert made.fallbacks == 15  # 64 and 160 are no multiples of 256


def test_single_tensors_can_have_types_of_their_own(wide_gguf: Path, tmp_path: Path) -> None:
    asked = Asked("Q4_K_M", 1, overrides=(Override("ffn_down", "Q8_0"), Override("attn_v", "F16")))
    found = kinds(quantize_gguf(wide_gguf, tmp_path / "out.gguf", asked).path)
    assert found["blk.0.ffn_down.weight"] == found["blk.1.ffn_down.weight"] == "Q8_0"
    assert found["blk.1.attn_v.weight"] == "F16"
    assert found["blk.0.ffn_up.weight"] == "Q4_K"


def test_an_importance_matrix_changes_the_weights_and_is_told(
    wide_gguf: Path, small_gguf: Path, tmp_path: Path
) -> None:
    matrix = tmp_path / "wide.imatrix"
    collect(AskedImportance(wide_gguf, CALIBRATION, matrix, 64, 2))
    importance = read_importance(matrix)
    plain = quantize_gguf(wide_gguf, tmp_path / "plain.gguf", Asked("Q4_K_M", 1)).path
    asked = Asked("Q4_K_M", 1, importance)
    file = GGUFReader(quantize_gguf(wide_gguf, tmp_path / "weighed.gguf", asked).path)
    name = "blk.0.ffn_up.weight"
    found = [next(t.data for t in f.tensors if t.name == name) for f in (file, GGUFReader(plain))]
    assert (found[0] != found[1]).any()
    told = {key: file.get_field(f"quantize.imatrix.{key}") for key in ("file", "chunks_count")}
    assert [field and field.contents() for field in told.values()] == ["wide.imatrix", 2]
    with pytest.raises(RequestError, match="belongs to another model"):
        quantize_gguf(small_gguf, tmp_path / "no.gguf", asked)
    # two bits need to know what matters
    with pytest.raises(BadModelFile, match=r"could not be quantised: .*imatrix"):
        quantize_gguf(wide_gguf, tmp_path / "no.gguf", Asked("IQ2_XXS", 1))
    assert not (tmp_path / "no.gguf").exists()


def test_what_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    for content in (b"<html>", b"GGUF" + bytes(100), b""):
        page.write_bytes(content)
        with pytest.raises(BadModelFile):
            quantize_gguf(page, tmp_path / "out.gguf", Asked("Q4_0"))
    assert [path.name for path in tmp_path.iterdir()] == ["page.gguf"]


def test_a_file_that_llama_cpp_does_not_know_is_refused_with_its_reason(
    small_gguf: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.gguf"
    data = small_gguf.read_bytes()
    odd.write_bytes(data.replace(b"llama.block_count", b"llama.block_kount", 1))
    with pytest.raises(BadModelFile, match=r"could not be quantised: .*block_count"):
        quantize_gguf(odd, tmp_path / "out.gguf", Asked("Q8_0", 1))
    assert [path.name for path in tmp_path.iterdir()] == ["odd.gguf"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_leaves_nothing(
    smollm2_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = ["quantize", str(smollm2_path), str(tmp_path / "out.gguf"), "--type", "IQ4_XS"]
    command = [sys.executable, "-m", "quantize", *words, "--threads", "1"]
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=heeds_ctrl_c)
    part = tmp_path / ".out.gguf.part"
    while not part.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(HANG_S) == 130
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_said(wide_gguf: Path, tmp_path: Path) -> None:
    def refused(asked: Asked, target: Path = tmp_path / "out.gguf") -> str:
        with pytest.raises(RequestError) as caught:
            quantize_gguf(wide_gguf, target, asked)
        assert not (tmp_path / "out.gguf").exists()
        return str(caught.value)

    assert "Q9_Z is no type: choose one of Q8_0" in refused(Asked("Q9_Z"))
    assert "over itself" in refused(Asked("Q8_0"), wide_gguf)
    assert "Q9 is no type of a tensor" in refused(Asked("Q8_0", overrides=(Override("a", "Q9"),)))
    assert "No tensor" in refused(Asked("Q8_0", overrides=(Override("xyz", "Q8_0"),)))
    assert "no regular expression" in refused(Asked("Q8_0", overrides=(Override("(", "Q8_0"),)))


def test_an_override_that_does_not_fit_its_rows_is_said(small_gguf: Path, tmp_path: Path) -> None:
    asked = Asked("Q8_0", overrides=(Override("ffn_down", "Q6_K"),))
    with pytest.raises(RequestError, match=r"ffn_down\.weight has rows of 160 weights"):
        quantize_gguf(small_gguf, tmp_path / "out.gguf", asked)


def test_the_command_line_tells_what_became_of_it(
    small_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.gguf"
    words = ["quantize", str(small_gguf), str(target), "--type", "q4_k_m", "--threads", "1"]
    assert main([*words, "--tensor-type", "attn_v=q8_0"]) == 0
    said = capsys.readouterr().out
    assert "bytes" in said
    assert "do not fit Q4_K_M" in said
    with pytest.raises(SystemExit):
        main([*words, "--tensor-type", "attn_v"])
