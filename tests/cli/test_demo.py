"""`edge-agent demo` with the smallest model: what it prints, not whether it is right."""

from __future__ import annotations

import json
from pathlib import Path

from .shell import Shell


def test_the_demo_prints_one_json_object_and_tells_the_run_beside_it(
    shell: Shell, smollm2_path: Path, embedder_dir: Path
) -> None:
    done = shell.run(
        *("demo", "--json", "--model", "smollm2-135m-instruct", "--ctx-size", "4096"),
        *("--threads", "1", "--steps", "1", "--tokens", "100", "--seconds", "400"),
    )
    run = json.loads(done.stdout)
    cited = run["status"] == "completed" and bool(run["citations"])
    assert done.returncode == (0 if cited else 1)
    assert run["model"] == "smollm2-135m-instruct" and run["reason"] and run["steps"]
    assert all(c["url"].startswith("http://127.0.0.1:") for c in run["citations"])
    assert run["task"] in done.stderr and "Traceback" not in done.stderr
