from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quantize.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def test_a_failure_is_one_sentence_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["onnx", str(tmp_path / "gone.onnx"), str(tmp_path / "out.onnx")]) == 1
    assert capsys.readouterr().err.endswith("name the model.onnx to quantise.\n")


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "quantize", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "onnx" in done.stdout
    assert "gguf" in done.stdout
