"""A filter over system calls (seccomp(2)): what is not on the list is refused with EPERM."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable

from edge_agent.tools.python.libc import LibC
from edge_agent.tools.python.syscalls import Calls

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, PROCESSOR, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
X32 = 0x40000000  # the other set of calls that x86_64 has
CLONE_THREAD = 0x00010000
# ways of fcntl to have a signal sent to any process: F_SETOWN, F_SETSIG, F_SETOWN_EX
SIGNALLING = (8, 10, 15)

Line = tuple[int, int, int, int]  # code, jump when true, jump when false, value


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))


def program(calls: Calls, pid: int) -> list[Line]:
    """The filter for a process `pid` that may start threads but no process."""
    return [
        (LOAD, 0, 0, PROCESSOR),
        (JUMP_EQUAL, 1, 0, calls.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_GREATER, 0, 1, X32),
        (RETURN, 0, 0, REFUSE | EPERM),
        *_for(calls.clone3, [(RETURN, 0, 0, REFUSE | ENOSYS)]),  # its flags cannot be looked at
        *_for(calls.allowed["clone"], _if_argument(0, JUMP_BITS, CLONE_THREAD)),
        *_for(calls.allowed["tgkill"], _if_argument(0, JUMP_EQUAL, pid)),
        *_for(calls.allowed["prlimit64"], _if_argument(0, JUMP_EQUAL, 0)),
        *_for(calls.allowed["fcntl"], _unless_argument(1, SIGNALLING)),
        *_any_of(calls.allowed.values()),
    ]


def _for(number: int, lines: list[Line]) -> list[Line]:
    """What is done about one call; the lines end in a return."""
    return [(JUMP_EQUAL, 0, len(lines), number), *lines]


def _if_argument(place: int, test: int, value: int) -> list[Line]:
    return [
        (LOAD, 0, 0, FIRST_ARGUMENT + 8 * place),
        (test, 0, 1, value),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE | EPERM),
    ]


def _unless_argument(place: int, values: tuple[int, ...]) -> list[Line]:
    tests = [(JUMP_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
    load = (LOAD, 0, 0, FIRST_ARGUMENT + 8 * place)
    return [load, *tests, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | EPERM)]


def _any_of(numbers: Iterable[int]) -> list[Line]:
    known = sorted(numbers)
    tests = [(JUMP_EQUAL, len(known) - i, 0, number) for i, number in enumerate(known)]
    return [*tests, (RETURN, 0, 0, REFUSE | EPERM), (RETURN, 0, 0, ALLOW)]


def apply(libc: LibC, calls: Calls, pid: int) -> None:
    """Hold this thread, and all it starts, to the filter for ever. Raises OSError."""
    lines = program(calls, pid)
    packed = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    made = _Filter(len(lines), ctypes.cast(packed, ctypes.c_void_p))
    libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.call("prctl", PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(made), 0, 0)
