from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quantize.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]


def test_a_failure_is_one_sentence_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["onnx", str(tmp_path / "gone.onnx"), str(tmp_path / "out.onnx")]) == 1
    assert capsys.readouterr().err.endswith("name the model.onnx to quantise.\n")
    assert main(["convert", str(tmp_path), str(tmp_path / "out.gguf")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "quantize", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


def test_a_wrong_word_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convrt"]) == 2
    assert "convert" in capsys.readouterr().err
    assert main([]) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "-h"])
    assert caught.value.code == 0
    assert f"quantize {name}" in capsys.readouterr().out
