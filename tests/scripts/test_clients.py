"""The environment of other people's clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import clients
from llama_wheel import SetupError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = '[project.optional-dependencies]\nclients = ["openai>=2"]\n'


def test_the_group_of_this_project_names_every_client() -> None:
    wanted = " ".join(clients.requirements((ROOT / "pyproject.toml").read_text()))
    for name in ("openai", "anthropic", "langchain-openai", "litellm", "llm", "smolagents"):
        assert f"{name}>=" in wanted


def test_every_requirement_has_both_bounds() -> None:
    for line in clients.requirements((ROOT / "pyproject.toml").read_text()):
        assert ">=" in line and ",<" in line


def test_a_project_without_the_group_is_a_sentence() -> None:
    with pytest.raises(SetupError, match="no group named clients"):
        clients.requirements('[project]\nname = "x"\n')


def test_what_is_there_is_not_installed_again(tmp_path: Path) -> None:
    venv = tmp_path / ".venv-clients"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (venv / clients.STAMP).write_text(clients.fingerprint(PROJECT, tmp_path))
    python = clients.set_up(tmp_path, venv)
    assert python.exists() and not (venv / "install.log").exists()


def test_a_changed_group_or_folder_is_seen(tmp_path: Path) -> None:
    before = clients.fingerprint(PROJECT, tmp_path)
    assert clients.fingerprint(PROJECT.replace("2", "3"), tmp_path) != before
    assert clients.fingerprint(PROJECT, tmp_path / "moved") != before
