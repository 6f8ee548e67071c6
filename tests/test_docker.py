"""What is shipped for containers and services: linted, and true to the rest of the tree."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_agent.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile*"))
PROBES = ("--quiet", "--spider")  # of wget, in a health check
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(HADOLINT is None, reason="hadolint has no wheel for this machine")
@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_dockerfile_has_no_lint(file: Path) -> None:
    done = subprocess.run([str(HADOLINT), str(file)], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_copies_what_is_there_and_runs_as_nobody_in_particular(file: Path) -> None:
    text = file.read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
        allowed = (ROOT / ".dockerignore").read_text().splitlines()
        assert all(f"!{source}" in allowed for source in sources), line
    assert re.findall(r"^USER (.+)$", text, re.M) == ["10001"]
    assert "HEALTHCHECK" in text and "VOLUME /data" in text


@pytest.mark.parametrize("name", ["compose.yaml", "edge-agent.service", "com.edge-agent.plist"])
def test_every_option_that_is_given_is_one_of_serve(name: str) -> None:
    known = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    text = (DOCKER / name).read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    given = [o for line in lines for o in re.findall(r"--[a-z][a-z-]+", line) if o not in PROBES]
    assert given
    assert [option for option in given if option not in known] == []


def test_the_units_can_be_read_and_start_the_server() -> None:
    agent = plistlib.loads((DOCKER / "com.edge-agent.plist").read_bytes())
    assert agent["ProgramArguments"][1] == "serve"
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DOCKER / "edge-agent.service")
    assert "edge-agent serve" in unit["Service"]["ExecStart"]
    assert unit["Service"]["User"] == "edge-agent"
