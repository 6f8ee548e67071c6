"""Where the sample site is: in the source tree, or inside the installed package."""

from __future__ import annotations

import json
from pathlib import Path

from edge_agent.errors import ConfigError

DEMO_LIBRARY = "sample"


def examples_dir() -> Path:
    """The folder `examples/`; raises ConfigError when this installation has none."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_data" / "examples", package.parent / "examples"):
        if (folder / "site").is_dir():
            return folder
    raise ConfigError(f"The sample site is missing beside {package}: reinstall edge-agent.")


def sample_site() -> Path:
    """The folder of HTML pages."""
    return examples_dir() / "site"


def first_question() -> str:
    """The question that the demo answers."""
    with (examples_dir() / "questions.jsonl").open(encoding="utf-8") as lines:
        return str(json.loads(next(lines))["question"])
