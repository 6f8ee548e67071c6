from __future__ import annotations

from pathlib import Path

import pytest

import peer_tests


def test_where_there_is_no_harness_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer_tests.main([], {"EDGE_AGENT_PEER_TESTS": str(tmp_path)})
    assert "not here" in capsys.readouterr().out


def test_the_harness_gets_our_server_the_models_and_what_was_asked(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("")
    program = peer_tests.harness({"EDGE_AGENT_PEER_TESTS": str(tmp_path)})
    assert program is not None
    words = peer_tests.command(program, {"--small": tmp_path / "a.gguf"}, ["--tier", "ext"])
    assert words[1] == str(program)
    assert words[words.index("--server") + 1].endswith("edge-agent serve")
    assert words[words.index("--small") + 1].endswith("a.gguf")
    assert words[-2:] == ["--tier", "ext"]
