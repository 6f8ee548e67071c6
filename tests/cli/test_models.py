"""`edge-agent models` and `edge-agent pull`."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path

from edge_agent.catalog.workshop import workshop
from tests.patience import HANG_S

from ..signals import heeds_ctrl_c
from .shell import ROOT, Shell, eventually

ROW = {
    "name",
    "kind",
    "installed",
    "path",
    "size",
    "needs",
    "fits",
    "n_ctx",
    "licence",
    "profile",
    "note",
    "problem",
}


def test_models_as_json_are_one_object_with_a_row_for_every_card(
    shell: Shell, smollm2_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(b"not a model")
    (tmp_path / "models" / smollm2_path.name).symlink_to(smollm2_path)
    done = shell.run("models", "--json", EDGE_AGENT_MODELS_DIR=str(tmp_path / "models"))
    listing = json.loads(done.stdout)
    assert set(listing) == {"directory", "models"}
    assert listing["directory"] == str(tmp_path / "models")
    assert all(set(row) == ROW for row in listing["models"])
    rows = {row["name"]: row for row in listing["models"]}
    assert {path.stem for path in (ROOT / "models").glob("*.toml")} <= rows.keys()
    assert rows["smollm2-135m-instruct"]["installed"]
    assert rows["smollm2-135m-instruct"]["size"] == smollm2_path.stat().st_size
    assert not rows["agentcpm-explore-4b"]["installed"]
    assert not rows["mine"]["installed"] and "not a GGUF" in rows["mine"]["problem"]


def test_the_table_shows_whole_names(shell: Shell) -> None:
    table = shell.inside("models", COLUMNS="60").stdout
    assert "qwen2.5-coder-1.5b-instruct" in table


def test_an_unknown_model_is_told_with_the_nearest_name(shell: Shell) -> None:
    assert "Did you mean smollm2-135m-instruct?" in shell.refused("pull", "smolm2-135m-instruct")


def test_pulling_what_is_there_prints_where(shell: Shell, smollm2_path: Path) -> None:
    assert shell.run("pull", "smollm2-135m-instruct").stdout == f"{smollm2_path}\n"
    told = json.loads(shell.inside("pull", "SmolLM2-135M-Instruct", "--json").stdout)
    assert told == {"name": "smollm2-135m-instruct", "path": str(smollm2_path)}


def test_ctrl_c_ends_a_pull_at_once(shell: Shell, tmp_path: Path) -> None:
    """A pull that stands still: another one, here the test, is at work on the same model."""
    with workshop(tmp_path, "smollm2-135m-instruct"):
        waiting = subprocess.Popen(
            shell.command("pull", "smollm2-135m-instruct"),
            cwd=ROOT,
            env=shell.environment(EDGE_AGENT_MODELS_DIR=str(tmp_path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=heeds_ctrl_c,
        )
        folder = tmp_path / ".partial" / "smollm2-135m-instruct"
        assert eventually(lambda: holds(waiting.pid, folder), HANG_S)
        began = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=HANG_S)
    assert time.monotonic() - began < 20  # as long as the other one takes
    assert (waiting.returncode, out) == (130, b"") and b"Traceback" not in err


def holds(pid: int, folder: Path) -> bool:
    """Whether a process has the folder open."""
    handles = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        return any(h.resolve() == folder.resolve() for h in handles.iterdir())
    return False


def test_a_file_of_ones_own_comes_is_checked_and_goes(
    shell: Shell, smollm2_path: Path, tmp_path: Path
) -> None:
    folder = {"EDGE_AGENT_MODELS_DIR": str(tmp_path / "models")}
    mine = tmp_path / "mine.gguf"
    mine.symlink_to(smollm2_path)
    placed = shell.inside("import", str(mine), **folder).stdout.strip()
    assert Path(placed).is_file()
    assert "whole" in shell.inside("verify", "mine", **folder).stdout
    told = json.loads(shell.inside("rm", "mine", "--json", **folder).stdout)
    assert told["freed"] == smollm2_path.stat().st_size
    assert not Path(placed).exists()
    assert smollm2_path.is_file()
