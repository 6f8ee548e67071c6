"""What the confining process is told, and what it says when it is confined."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

CONFINED = "confined by "
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """root: an empty folder of this run. readable: files and folders that may be read.

    worlds, landlock: which of the two ways to close the files are taken; at least one must hold.
    cpu_s, memory, file_size, files: limits of the process, in seconds, bytes, bytes and number.
    status: number of the descriptor on which it says how it is confined.
    """

    root: str
    readable: tuple[str, ...]
    status: int
    worlds: bool = True
    landlock: bool = True
    cpu_s: int = 20
    memory: int = 1024 * MIB
    file_size: int = 32 * MIB
    files: int = 256

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        data = json.loads(text)
        return cls(**{**data, "readable": tuple(data["readable"])})
