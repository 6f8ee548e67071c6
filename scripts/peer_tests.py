"""Runs llama.cpp's own server tests against `edge-agent serve`: `make test-peer`.

They are not part of this repository. EDGE_AGENT_PEER_TESTS names the folder with their harness
(`run.py` and the lists of tests); where there is none, this says so and ends well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.pull import pull
from edge_agent.config import load_settings

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ROOT.parent / "shared" / "peer" / "llama_server_tests"
MODELS = {"--small": "smollm2-135m-instruct", "--tool": "qwen2.5-coder-0.5b-instruct"}


def harness(environment: Mapping[str, str]) -> Path | None:
    """The harness's program, None where it is not here."""
    folder = Path(environment.get("EDGE_AGENT_PEER_TESTS") or BESIDE)
    program = folder / "run.py"
    return program if program.is_file() else None


def command(program: Path, models: Mapping[str, Path], asked: Sequence[str]) -> list[str]:
    """What to run. `asked` are options of the harness, such as --tier ext."""
    given = [word for flag, path in models.items() for word in (flag, str(path))]
    serve = f"{Path(sys.executable).parent / 'edge-agent'} serve"
    return [sys.executable, str(program), "--server", serve, *given, *asked]


def main(asked: Sequence[str], environment: Mapping[str, str]) -> None:
    """Becomes the harness."""
    program = harness(environment)
    if program is None:
        print("llama.cpp's server tests are not here: EDGE_AGENT_PEER_TESTS may name their folder.")
        return
    folder = load_settings().models_dir
    catalog = Catalog.load(folder)
    models = {flag: pull(catalog.get(name), folder) for flag, name in MODELS.items()}
    words = command(program, models, asked)
    os.execv(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
