"""Files that already lie on this device: linked where the file system can, else copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from edge_agent.catalog.card import PathSpec
from edge_agent.catalog.progress import Progress, Step
from edge_agent.errors import PullError


class PathSource:
    """A folder on this device."""

    def __init__(self, spec: PathSpec) -> None:
        self._spec = spec

    @property
    def label(self) -> str:
        return f"folder {self._spec.directory}"

    def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
        """Copy the files into `folder`. Raises PullError."""
        for name, there in self._spec.files.items():
            progress(Step(f"copying {name}"))
            _link_or_copy(self._spec.directory / there, folder / name)
        return dict.fromkeys(self._spec.files)


def _link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise PullError(f"{source} cannot be read: {error.strerror}.") from None
