"""Ships the model cards and the examples inside a wheel; an editable install reads the tree's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataFolders(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `models` and `examples` as `edge_agent/_data/...` to standard wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files."""
        if version != "standard":
            return
        for name in ("models", "examples"):
            if (Path(self.root) / name).is_dir():
                build_data["force_include"][name] = f"edge_agent/_data/{name}"
