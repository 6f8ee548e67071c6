"""The limits a container puts on this process: Linux control groups, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")
UNLIMITED = 1 << 60  # version 1 writes a number near 2**63 where there is no limit


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Folders of the groups this process is in, each followed by those it is inside of."""

    memory: tuple[Path, ...]
    cpu: tuple[Path, ...]

    @classmethod
    def here(cls, root: Path = ROOT, own: Path = SELF) -> Cgroup:
        """The groups of this process; none where there is no such thing."""
        paths = dict(_paths(own))
        unified = tuple(_upwards(root, paths[""])) if "" in paths else ()
        memory = tuple(_upwards(root / "memory", paths["memory"])) if "memory" in paths else ()
        cpu = tuple(_upwards(root / "cpu", paths["cpu"])) if "cpu" in paths else ()
        return cls(memory + unified, cpu + unified)

    def free_bytes(self) -> int | None:
        """What may still be allocated, cached files counted as free; None without a limit."""
        return min((free for folder in self.memory for free in _free(folder)), default=None)

    def cores(self) -> float | None:
        """Processors' worth of time; None without a limit."""
        return min((cores for folder in self.cpu for cores in _cores(folder)), default=None)


def _paths(own: Path) -> Iterator[tuple[str, str]]:
    """(controller, path of its group); the controller of version 2 is ""."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """The group's folder and those above it; in a container the root is the group itself."""
    folder = root / path.lstrip("/")
    while folder != root:
        yield folder
        folder = folder.parent
    yield root


def _free(folder: Path) -> Iterator[int]:
    """Zero or one number: limit minus use, of the files of either version."""
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, now = _number(folder / limit), _number(folder / used)
        if most is not None and now is not None and most < UNLIMITED:
            yield max(most - now + _stat(folder / "memory.stat", cached), 0)


def _cores(folder: Path) -> Iterator[float]:
    words = _text(folder / "cpu.max").split()
    if len(words) == 2 and words[0].isdigit():
        yield int(words[0]) / int(words[1])
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    if quota and period and quota > 0:
        yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None  # "max" is no number


def _stat(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return 0
