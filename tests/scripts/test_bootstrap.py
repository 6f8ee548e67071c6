from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import bootstrap
from llama_wheel import SetupError

ROOT = Path(__file__).resolve().parents[2]
CPU = {"EDGE_AGENT_BUILD": "cpu"}


def project(folder: Path) -> Path:
    (folder / "pyproject.toml").write_text('dependencies = ["llama-cpp-python==0.3.36"]')
    return folder


def stamp(root: Path, fingerprint: str, dev: bool) -> Path:
    venv = root / ".venv"
    venv.mkdir(exist_ok=True)
    (venv / bootstrap.STAMP).write_text(json.dumps({"fingerprint": fingerprint, "dev": dev}))
    return venv


def test_a_finished_set_up_is_not_repeated(tmp_path: Path) -> None:
    root = project(tmp_path)
    stamp(root, bootstrap.fingerprint(root, CPU), dev=True)
    assert bootstrap.set_up(root, CPU, dev=True) is False
    assert bootstrap.set_up(root, CPU, dev=False) is False


def test_tests_need_more_than_the_demo(tmp_path: Path) -> None:
    root = project(tmp_path)
    wanted = bootstrap.fingerprint(root, CPU)
    venv = stamp(root, wanted, dev=False)
    assert bootstrap.is_done(venv, wanted, dev=False)
    assert not bootstrap.is_done(venv, wanted, dev=True)


def test_a_changed_project_folder_or_backend_is_seen(tmp_path: Path) -> None:
    root = project(tmp_path)
    before = bootstrap.fingerprint(root, CPU)
    assert bootstrap.fingerprint(root, {**CPU, "CMAKE_ARGS": "-DX=1"}) != before
    (root / "pyproject.toml").write_text("dependencies = []")
    assert bootstrap.fingerprint(root, CPU) != before
    moved = tmp_path / "moved"
    moved.mkdir()
    assert bootstrap.fingerprint(project(moved), CPU) != before


def test_a_half_written_stamp_means_not_done(tmp_path: Path) -> None:
    venv = stamp(tmp_path, "x", dev=True)
    (venv / bootstrap.STAMP).write_text('{"finger')
    assert not bootstrap.is_done(venv, "x", dev=False)


def test_an_environment_serves_the_folder_it_was_made_for_only(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    python = bootstrap.make_venv(venv, tmp_path)
    (venv / "mine").touch()
    assert bootstrap.make_venv(venv, tmp_path) == python
    assert (venv / "mine").exists()
    assert not bootstrap.belongs(venv, tmp_path / "elsewhere")
    told = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, text=True)
    assert told.returncode == 0


def test_the_pinned_version_is_read_from_the_project() -> None:
    assert bootstrap.pinned_version((ROOT / "pyproject.toml").read_text()) == "0.3.36"
    with pytest.raises(SetupError, match="does not pin"):
        bootstrap.pinned_version('"llama-cpp-python>=0.3"')


def test_wheels_are_kept_in_the_users_cache() -> None:
    assert bootstrap.cache_dir({"EDGE_AGENT_CACHE_DIR": "/c"}) == Path("/c/wheels")
    assert bootstrap.cache_dir({"XDG_CACHE_HOME": "/x"}) == Path("/x/edge-agent/wheels")
    assert Path.home() in bootstrap.cache_dir({}).parents


def test_make_knows_every_habit() -> None:
    for target in ("demo", "serve", "test", "lint", "types", "bench"):
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
        assert "scripts/bootstrap.py" in done.stdout
