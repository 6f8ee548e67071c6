"""Sets everything up in .venv: `python3 scripts/bootstrap.py [--dev]`.

Standard library only. A second call with nothing changed returns at once. Down to the version
check it must run on any Python 3, so the annotations import that the other files have is missing.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

OLDEST = (3, 10)
NEWER_NAMES = ("python3.13", "python3.12", "python3.11", "python3.10")


def reexec_with_newer_python() -> None:
    """Start again under a Python that is new enough, or end with a sentence."""
    for name in NEWER_NAMES:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, *sys.argv])
    found = platform.python_version()
    sys.exit(f"edge-agent needs Python 3.10 or newer and found {found}: install python3.12.")


if sys.version_info < OLDEST:
    reexec_with_newer_python()

from llama_wheel import (  # noqa: E402 - only a new enough Python can read it
    SetupError,
    choose_backend,
    plan,
    say,
    this_machine,
    watched,
    wheel_for,
)

ROOT = Path(__file__).resolve().parents[1]
STAMP = "edge-agent-setup.json"


def cache_dir(environment: Mapping[str, str]) -> Path:
    """Where wheels are kept: EDGE_AGENT_CACHE_DIR, else the user's cache folder."""
    if environment.get("EDGE_AGENT_CACHE_DIR"):
        return Path(environment["EDGE_AGENT_CACHE_DIR"]) / "wheels"
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]) / "edge-agent" / "wheels"
    home = Path.home()
    caches = home / "Library" / "Caches" if platform.system() == "Darwin" else home / ".cache"
    return caches / "edge-agent" / "wheels"


def pinned_version(pyproject: str) -> str:
    """The llama-cpp-python that pyproject.toml pins. Raises SetupError."""
    found = re.search(r"llama-cpp-python==([0-9][0-9A-Za-z.]*)", pyproject)
    if not found:
        raise SetupError("pyproject.toml does not pin llama-cpp-python==VERSION.")
    return found.group(1)


def fingerprint(root: Path, environment: Mapping[str, str]) -> str:
    """Changes whenever the environment has to be set up anew."""
    machine = this_machine()
    told = [
        (root / "pyproject.toml").read_text(),
        str(root),
        sys.version,
        choose_backend(machine, environment.get("EDGE_AGENT_BUILD")),
        environment.get("CMAKE_ARGS", ""),
        machine.cpu_flags,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def is_done(venv: Path, wanted: str, dev: bool) -> bool:
    """Whether the stamp says that this very set-up, or more, was finished."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return stamp.get("fingerprint") == wanted and (stamp.get("dev") or not dev)


def make_venv(venv: Path, root: Path) -> Path:
    """A virtual environment's Python; one made for another folder is made anew."""
    python = venv / "bin" / "python"
    if belongs(venv, root) and _runs(python):
        return python
    say(f"Making the virtual environment {venv}.")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True
    )
    if made.returncode != 0:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(
            f"{made.stdout}{made.stderr}\nNo virtual environment could be made: install Python's "
            f"venv module (on Debian and Ubuntu: sudo apt-get install python{version}-venv)."
        )
    (venv / "edge-agent-root").write_text(str(root))
    return python


def belongs(venv: Path, root: Path) -> bool:
    """Whether `make_venv` made it for this folder: its scripts name the folder they lie in."""
    note = venv / "edge-agent-root"
    return note.exists() and note.read_text() == str(root)


def _runs(python: Path) -> bool:
    probe = [str(python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 10))"]
    return python.exists() and subprocess.run(probe, capture_output=True).returncode == 0


def set_up(root: Path, environment: Mapping[str, str], dev: bool) -> bool:
    """Bring .venv to where pyproject.toml wants it. False when it was there. Raises SetupError."""
    venv, wanted = root / ".venv", fingerprint(root, environment)
    if is_done(venv, wanted, dev):
        return False
    (venv / STAMP).unlink(missing_ok=True)
    recipe = plan(pinned_version((root / "pyproject.toml").read_text()), environment)
    python = make_venv(venv, root)
    wheel = wheel_for(recipe, cache_dir(environment), python, environment)
    install(python, wheel, root, environment, dev)
    (venv / STAMP).write_text(json.dumps({"fingerprint": wanted, "dev": dev, "key": recipe.key}))
    return True


def install(
    python: Path, wheel: Path, root: Path, environment: Mapping[str, str], dev: bool
) -> None:
    """The built wheel and the project with its dependencies, by pip."""
    say("Installing edge-agent and its dependencies.")
    command = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += [str(wheel), "--editable", f"{root}[dev]" if dev else str(root)]
    watched(command, python.parents[1] / "install.log", "installing", environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 1 with one sentence on stderr."""
    parser = argparse.ArgumentParser(description="Set edge-agent up in .venv.")
    parser.add_argument("--dev", action="store_true", help="with what tests and checks need")
    given = parser.parse_args(arguments)
    try:
        if set_up(ROOT, os.environ, given.dev):
            say("Set-up is done.")
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Set-up was interrupted; run it again to continue.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
