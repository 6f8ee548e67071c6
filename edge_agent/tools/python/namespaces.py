"""A world of its own for a process (namespaces(7)): no network, no other process, few files."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_agent.tools.python.libc import LibC
from edge_agent.tools.python.syscalls import Calls

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
ALL = NEW_MOUNTS | NEW_NAMES | NEW_IPC | NEW_USER | NEW_PROCESSES | NEW_NETWORK
READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT, BIND, WITH_ALL_BELOW, PRIVATE = (
    1,
    2,
    4,
    32,
    4096,
    16384,
    1 << 18,
)
DETACH = 2
CAPABILITIES_3 = 0x20080522
WORK = "/tmp"  # the only folder that can be written to, inside


def enter(libc: LibC, calls: Calls) -> None:
    """Leave the machine's world. Children of this process live in the new one. Raises OSError."""
    uid, gid = os.getuid(), os.getgid()
    libc.syscall(calls.unshare, ALL)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def close_files(
    libc: LibC, calls: Calls, root: str, readable: Sequence[str], size: int, most: int
) -> None:
    """Put the process into a small file system in memory that shows `readable`, and no more.

    root: an empty folder. size: bytes that can be written there; most: files. Raises OSError.
    """
    libc.call("mount", "none", "/", None, WITH_ALL_BELOW | PRIVATE, None)
    options = f"size={size},nr_inodes={most},mode=755"
    libc.call("mount", "tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, options)
    Path(root + WORK).mkdir()
    for path in outermost(readable):
        _show(libc, root, path)
    os.chdir(root)
    libc.syscall(calls.pivot_root, ".", ".")
    libc.call("umount2", ".", DETACH)
    os.chdir(WORK)


def outermost(paths: Iterable[str]) -> list[str]:
    """Those that exist and do not lie inside another of them."""
    kept: list[str] = []
    for path in sorted({*paths}, key=lambda path: (path.count("/"), path)):
        inside = any(path.startswith(f"{known}/") for known in kept)
        if not inside and os.path.lexists(path):
            kept.append(path)
    return kept


def _show(libc: LibC, root: str, path: str) -> None:
    target = Path(root + path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_symlink():
        target.symlink_to(Path(path).readlink())
        return
    if Path(path).is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    libc.call("mount", path, str(target), None, BIND | WITH_ALL_BELOW, None)
    # flags that the machine's own mount has cannot be taken off here
    locked = os.statvfs(target).f_flag & (READ_ONLY | NO_SUID | NO_DEVICES | 8 | 1024 | 2048)
    flags = BIND | REMOUNT | READ_ONLY | NO_SUID | locked
    libc.call("mount", None, str(target), None, flags, None)


def drop_powers(libc: LibC) -> None:
    """Give up what the maker of a world may do in it."""
    head = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    libc.call("capset", ctypes.byref(head), ctypes.byref((ctypes.c_uint32 * 6)()))
