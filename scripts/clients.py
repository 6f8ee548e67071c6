"""Other people's clients in .venv-clients, as the group `clients` of pyproject.toml names them.

An environment of its own, because what these packages want of their dependencies is not what
edge-agent wants. A second call of `python scripts/clients.py` with nothing changed returns at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from bootstrap import make_venv
from llama_wheel import SetupError, say, watched

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
STAMP = "clients.json"


def requirements(pyproject: str) -> list[str]:
    """What the group asks for. Raises SetupError."""
    project: dict[str, Any] = tomllib.loads(pyproject).get("project", {})
    groups = project.get("optional-dependencies", {})
    if not groups.get("clients"):
        raise SetupError("pyproject.toml has no group named clients.")
    return list(groups["clients"])


def fingerprint(pyproject: str, root: Path) -> str:
    """Changes whenever the clients have to be installed anew."""
    told = [requirements(pyproject), str(root), sys.version]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def set_up(root: Path, venv: Path) -> Path:
    """The Python of an environment that holds the clients. Raises SetupError."""
    pyproject = (root / "pyproject.toml").read_text()
    stamp, wanted = venv / STAMP, fingerprint(pyproject, root)
    if stamp.exists() and stamp.read_text() == wanted:
        return venv / "bin" / "python"
    stamp.unlink(missing_ok=True)
    python = make_venv(venv, root)
    say("Installing other people's clients.")
    command = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # an older pip tries for minutes which versions of so many packages go together
    for packages in (["--upgrade", "pip>=25"], requirements(pyproject)):
        watched([*command, *packages], venv / "install.log", "installing", os.environ)
    stamp.write_text(wanted)
    return python


def main() -> int:
    """Exit code: 0, or 1 with one sentence on stderr."""
    try:
        set_up(ROOT, ROOT / ".venv-clients")
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
