"""Memory and disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from edge_agent.doctor.finding import Finding

GIB = 1 << 30
# a model of 4B in Q4_K_M with 16,384 tokens of f16 cells is loaded into 5.7 GiB, one of 135M into 1
LITTLE_MEMORY, LEAST_MEMORY = 6 * GIB, 1 * GIB
LITTLE_DISK, LEAST_DISK = 5 * GIB, 200 << 20  # a model of 4B, and the journals of some runs


def on_memory(available: int, total: int) -> Finding:
    """Bytes this process may take, and the machine has."""
    told = f"{available / GIB:.1f} of {total / GIB:.1f} GiB are available."
    if available < LEAST_MEMORY:
        return Finding("memory", "problem", told, "Close other programs: no model fits.")
    if available < LITTLE_MEMORY:
        return Finding(
            "memory",
            "note",
            told,
            "Use a model of 1 to 2 billion parameters, or close other programs for one of 4.",
        )
    return Finding("memory", "good", told)


def on_folders(folders: Mapping[str, Path]) -> list[Finding]:
    """Whether each can be written, and what room its disk has."""
    return [_on_folder(name, path) for name, path in folders.items()]


def _on_folder(name: str, path: Path) -> Finding:
    there = _first_there(path)
    title = f"folder of {name}"
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            title,
            "problem",
            f"{there} cannot be written by this user.",
            f"Give this user the folder, or name another in EDGE_AGENT_{name.upper()}_DIR.",
        )
    free = shutil.disk_usage(there).free
    told = f"{path}, {free / GIB:.1f} GiB free."
    if free < LEAST_DISK:
        return Finding(title, "problem", told, "Make room: runs cannot be recorded.")
    if free < LITTLE_DISK:
        return Finding(title, "note", told, "Make room before pulling a model of 4 billion.")
    return Finding(title, "good", told)


def _first_there(path: Path) -> Path:
    """The folder itself or the nearest above it that exists."""
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))
