"""`edge-agent bench` as a process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell

QUICK = ("bench", "--quick", "--rounds", "1", "--threads", "1", "--contender", "engine")
MODEL = ("--model", "smollm2-135m-instruct")


def test_json_is_one_object_on_stdout_and_the_rest_on_stderr(
    tmp_path: Path, smollm2_path: Path
) -> None:
    done = Shell(tmp_path).run(*QUICK, *MODEL, "--suite", "share", "--suite", "turns", "--json")
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert [row["suite"] for row in whole["results"]] == ["share", "turns", "turns"]
    assert whole["model"]["n_threads"] == 1
    assert "share, engine: round 1 of 1" in done.stderr


def test_an_unknown_suite_is_one_sentence(tmp_path: Path) -> None:
    assert "There is no suite 'speed'" in Shell(tmp_path).refused("bench", "--suite", "speed")
