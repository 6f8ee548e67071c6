"""States of token prefixes on disk, so that a restart begins warm."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edge_agent.engine.kv.cells import Ids, common_prefix
from edge_agent.engine.kv.statefile import (
    MAGIC,
    TEMP_PREFIX,
    State,
    file_size,
    read_head,
    read_state,
    write_state,
)

_STATES = re.compile(r"[0-9a-f]{16}-[0-9a-f]{40}\.state")  # only such files are ever removed
_TEMPS = re.compile(re.escape(TEMP_PREFIX) + r"\w{8}")
STALE_S = 60  # a temporary file not written to for so long has lost its writer
SPARE_BYTES = 256 << 20  # left free on the disk for everybody else

Notice: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One state outside the cells. ids: the tokens whose keys and values it holds."""

    ids: Ids
    n_bytes: int


def longest_of(entries: list[Kept], prompt: Ids) -> tuple[int, Kept] | None:
    """The entry that shares most with `prompt` and how much; the smallest of several such."""
    shared = [(common_prefix(kept.ids, prompt), kept) for kept in entries]
    best = max(shared, key=lambda s: (s[0], -s[1].n_bytes), default=None)
    return best if best and best[0] else None


def unheard(sentence: str) -> None:
    """Where notices go that nobody asked for."""


class Shelf:
    """A folder of states, one in each file, shared by every process that uses the folder.

    Files of other model keys are left alone, but count: when all files together would exceed
    `max_bytes`, those used least recently go. Whatever the disk does is never an error here: it is
    told to `notice` (from the caller's thread) in a sentence, and what failed is not cached.
    One thread may `put` while another does the rest.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        model_key: str,
        notice: Notice = unheard,
        spare_bytes: int = SPARE_BYTES,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._key = hashlib.sha256(MAGIC + model_key.encode()).digest()
        self._notice = notice
        self._spare_bytes = spare_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._seen_ns = -1
        self._said: set[str] = set()
        with self._told("be opened"):
            self._make_folder()
            self._sweep()
            self._refresh()

    def longest(self, prompt: Ids) -> tuple[int, Kept] | None:
        """The state that shares the longest prefix with `prompt`, and that length in tokens."""
        self._refresh()
        with self._lock:
            entries = list(self._kept.values())
        return longest_of(entries, prompt)

    def covers(self, ids: Ids) -> bool:
        """Whether a state holds all of `ids`; it counts as used now."""
        found = self.longest(ids)
        return found is not None and found[0] == len(ids) and self._touch(found[1])

    def load(self, kept: Kept) -> State | None:
        """The state's bytes; None when it is gone or damaged, and then it is forgotten."""
        name = self._name(kept.ids)
        if self._kept.get(name) is not kept:
            return None
        with self._told("give a cached prefix back"):
            found = read_state(self._folder / name, self._key)
            if found is not None and np.array_equal(found[0], kept.ids):
                self._touch(kept)
                return found[1]
            self._discard_damaged(name)
        self._forget(name)
        return None

    def put(self, ids: Ids, state: State) -> None:
        """Write a state, making room for it; returns when it is on the disk or was given up."""
        name = self._name(ids)
        with self._told("keep a prefix"):
            self._make_folder()
            self._sweep()
            if not (self._folder / name).exists():
                self._make_room(name, file_size(len(ids), state.nbytes))
                write_state(self._folder / name, self._key, ids, state)
            with self._lock:
                self._kept.setdefault(name, Kept(ids.copy(), state.nbytes))
            self._make_room(name, 0)  # another process may have written meanwhile

    def _name(self, ids: Ids) -> str:
        digest = hashlib.sha256(self._key + ids.astype("<i4").tobytes()).hexdigest()
        return f"{self._prefix}{digest[:40]}.state"

    @property
    def _prefix(self) -> str:
        return f"{self._key.hex()[:16]}-"

    def _make_folder(self) -> None:
        # what people wrote can be read back from these files
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sweep(self) -> None:
        """Remove what writers left that were killed."""
        for file in _listing(self._folder, _TEMPS):
            if time.time() - file.used_at > STALE_S:
                file.path.unlink(missing_ok=True)

    def _refresh(self) -> None:
        """Learn what was added to the folder or removed from it since the last time."""
        with self._told("be read"):
            changed_ns = self._folder.stat().st_mtime_ns
            if changed_ns != self._seen_ns:
                self._seen_ns = changed_ns
                self._read_heads()

    def _read_heads(self) -> None:
        names = {f.path.name for f in _listing(self._folder, _STATES)}
        names = {name for name in names if name.startswith(self._prefix)}
        with self._lock:
            for name in self._kept.keys() - names:
                del self._kept[name]
            new = names - self._kept.keys()
        for name in new:
            self._read_head(name)

    def _read_head(self, name: str) -> None:
        with self._told("be read"):
            head = read_head(self._folder / name, self._key)
            if head is None or self._name(head.ids) != name:
                self._discard_damaged(name)
                return
            with self._lock:
                self._kept.setdefault(name, Kept(head.ids, head.n_state))

    def _discard_damaged(self, name: str) -> None:
        self._tell_once(f"The cached prefix {self._folder / name} was damaged and is removed.")
        (self._folder / name).unlink(missing_ok=True)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._kept.pop(name, None)

    def _touch(self, kept: Kept) -> bool:
        name = self._name(kept.ids)
        try:
            os.utime(self._folder / name)
        except OSError:
            self._forget(name)
            return False
        return True

    def _make_room(self, name: str, n_bytes: int) -> None:
        """Remove the least recently used files but `name` until `n_bytes` more keep the bounds.

        Raises OSError, and removes nothing, where that is not enough.
        """
        files = _listing(self._folder, _STATES)
        held = sum(f.n_bytes for f in files + _listing(self._folder, _TEMPS))
        others = [f for f in files if f.path.name != name]
        going = _oldest(others, held + n_bytes - self._max_bytes)
        freed = sum(f.n_bytes for f in going)
        if n_bytes and held - freed + n_bytes > self._max_bytes:
            raise OSError(errno.EFBIG, "it is larger than the cache may be")
        if n_bytes and self._n_free() + freed - n_bytes < self._spare_bytes:
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        for file in going:
            file.path.unlink(missing_ok=True)
            self._forget(file.path.name)

    def _n_free(self) -> int:
        return shutil.disk_usage(self._folder).free

    @contextlib.contextmanager
    def _told(self, purpose: str) -> Iterator[None]:
        try:
            yield
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or "not enough memory"
            self._tell_once(
                f"The prefix cache in {self._folder} could not {purpose} ({reason}): prompts are "
                "computed instead; see to the space and the permissions of the folder."
            )

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._notice(sentence)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    n_bytes: int
    used_at: float


def _listing(folder: Path, names: re.Pattern[str]) -> list[_File]:
    files = []
    for path in folder.iterdir():
        if names.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):
                facts = path.lstat()
                if stat.S_ISREG(facts.st_mode):
                    files.append(_File(path, facts.st_size, facts.st_mtime))
    return files


def _oldest(files: list[_File], n_bytes: int) -> list[_File]:
    """The fewest of the files used least recently that make up `n_bytes`, or all."""
    chosen: list[_File] = []
    for file in sorted(files, key=lambda f: f.used_at):
        if sum(f.n_bytes for f in chosen) >= n_bytes:
            break
        chosen.append(file)
    return chosen
