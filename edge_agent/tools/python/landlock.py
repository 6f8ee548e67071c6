"""What of the files a process may open from now on (landlock(7)); everything else is closed."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from edge_agent.tools.python.libc import LibC

CREATE, ADD_RULE, RESTRICT, VERSION, BENEATH = 444, 445, 446, 1, 1
PR_SET_NO_NEW_PRIVS = 38
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
READ = READ_FILE | READ_DIR
# what a kernel of each version knows to refuse (linux/landlock.h)
KNOWN_ACCESS = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
TCP = 0b11  # bind, connect: version 4
SCOPES = 0b11  # abstract sockets, signals: version 6
ALONE = 3  # the first version that refuses to cut files short


def version(libc: LibC) -> int:
    """Of the kernel's landlock; 0 where there is none."""
    try:
        return libc.syscall(CREATE, None, 0, VERSION)
    except OSError:
        return 0


def apply(libc: LibC, readable: Iterable[str], writable: Iterable[str]) -> None:
    """Raises OSError. Paths that do not exist are left out."""
    known = version(libc)
    access = sum(bits for since, bits in KNOWN_ACCESS if known >= since)
    fields = [access]
    fields += [TCP] if known >= 4 else []
    fields += [SCOPES] if known >= 6 else []
    rules = struct.pack(f"={len(fields)}Q", *fields)
    handle = libc.syscall(CREATE, ctypes.create_string_buffer(rules, len(rules)), len(rules), 0)
    for path in readable:
        _allow(libc, handle, path, READ & access)
    for path in writable:
        _allow(libc, handle, path, access)
    libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(RESTRICT, handle, 0)
    os.close(handle)


def _allow(libc: LibC, handle: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not Path(path).is_dir():
            access &= READ_FILE | WRITE_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, place), 12)
        libc.syscall(ADD_RULE, handle, BENEATH, rule, 0)
    finally:
        os.close(place)
