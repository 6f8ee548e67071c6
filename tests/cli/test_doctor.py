"""`edge-agent doctor`: right about the machine it runs on, whatever that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.search import engines
from tests.tools.search.engines import Engine

from .shell import Shell

SMALL = ("doctor", "--model", "smollm2-135m-instruct")


@pytest.mark.usefixtures("smollm2_path")
def test_a_machine_on_which_everything_works_has_no_problem(shell: Shell) -> None:
    with Engine(engines.searxng) as engine:
        done = shell.run(*SMALL, "--search", engine.url, "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert [name for name, each in found.items() if each["state"] == "problem"] == []
    assert done.returncode == 0
    assert "SmolLM2" in found["loading"]["told"]
    assert found["computing"]["state"] == found["search: searxng"]["state"] == "good"


def test_each_problem_is_told_with_what_to_do(shell: Shell, tmp_path: Path) -> None:
    done = shell.run(
        "doctor", EDGE_AGENT_MODELS_DIR=str(tmp_path / "none"), EDGE_AGENT_EGRESS="offline"
    )
    assert done.returncode == 1
    assert "No chat model is installed." in done.stdout
    assert "edge-agent pull NAME" in done.stdout
    assert "No search engine is configured." in done.stdout
