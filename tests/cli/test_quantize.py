from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_agent.cli.main import app


def quantize(*words: str) -> int:
    return CliRunner().invoke(app, ["quantize", *words]).exit_code


def test_words_and_exit_codes_go_through(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert quantize("convert", "-h") == 0
    assert "--type" in capfd.readouterr().out
    assert quantize("convert", str(tmp_path), str(tmp_path / "out.gguf")) == 1
    assert "no config.json" in capfd.readouterr().err
    assert quantize("nonsense") == 2
    assert "usage: " in capfd.readouterr().err
