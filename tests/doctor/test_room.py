from __future__ import annotations

from pathlib import Path

from edge_agent.doctor.room import GIB, on_folders, on_memory


def test_little_memory_is_told_before_a_model_fails_to_load() -> None:
    states = [on_memory(n, 16 * GIB).state for n in (12 * GIB, 3 * GIB, GIB // 2)]
    assert states == ["good", "note", "problem"]
    assert "0.5 of 16.0 GiB" in on_memory(GIB // 2, 16 * GIB).told


def test_a_folder_that_is_still_to_be_made_is_judged_by_the_one_above(tmp_path: Path) -> None:
    (found,) = on_folders({"models": tmp_path / "not" / "yet"})
    assert found.state in ("good", "note")
    assert "not/yet" in found.told


def test_a_folder_that_cannot_be_entered_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    file.chmod(0o400)
    (found,) = on_folders({"data": file / "runs"})
    assert found.state == "problem" and "EDGE_AGENT_DATA_DIR" in found.fix
