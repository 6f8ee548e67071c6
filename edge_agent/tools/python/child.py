"""The process that confines itself and then runs someone's Python: `main` is where it begins.

Three processes stand in a row, so that the last one finds nothing of this machine and nothing of it
is left behind: the first leaves the machine's world and waits; the second is the new world's
first, with whose end the kernel ends all others in it; the third is confined and runs the code.
"""

from __future__ import annotations

import os
import platform
import resource
import signal
import sys

from edge_agent.tools.python import landlock, namespaces, seccomp
from edge_agent.tools.python.libc import LibC
from edge_agent.tools.python.order import CONFINED, Order
from edge_agent.tools.python.run import run
from edge_agent.tools.python.syscalls import PROCESSORS, Calls

PR_SET_PDEATHSIG = 1
NICER = 5
NOT_CONFINED = 97  # the exit status of a process that has run nothing
DEVICES = ("/dev/null", "/dev/urandom")
LEFT_OPEN = 64  # descriptors
MOST_THREADS = 64


def main() -> None:
    """Read the order from the command line and the code from stdin; never returns."""
    libc, order = LibC(), Order.from_json(sys.argv[-1])
    if sys.platform != "linux":
        _say(order, f"{sys.platform} has no such filters, Linux has")
        os._exit(NOT_CONFINED)
    libc.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    code = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        confined = _confined(libc, order)
    except OSError as error:
        _say(order, f"{error.strerror or error}")
        os._exit(NOT_CONFINED)
    _say(order, CONFINED + confined)
    os._exit(run(code))


def _confined(libc: LibC, order: Order) -> str:
    """Confine this process; the names of what holds it. Raises OSError for what would not hold."""
    calls = PROCESSORS.get(platform.machine())
    if calls is None:
        raise OSError(f"the system calls of {platform.machine()} are not known here")
    alone = order.landlock and landlock.version(libc) >= landlock.ALONE
    layers = ["seccomp"]
    if order.worlds and _entered(libc, calls, must=not alone):
        _next_process(libc)
        _next_process(libc)
        namespaces.close_files(
            libc, calls, order.root, (*order.readable, *DEVICES), order.file_size, order.files
        )
        namespaces.drop_powers(libc)
        layers.append("namespaces")
    elif not alone:
        raise OSError("there are neither user namespaces nor landlock 3 to close the files with")
    else:
        os.chdir("/")
    if order.landlock and landlock.version(libc):
        own = "namespaces" in layers
        readable = ("/",) if own else (*order.readable, *DEVICES)
        landlock.apply(libc, readable, (namespaces.WORK,) if own else ())
        layers.append("landlock")
    _limit(order, "namespaces" in layers)
    _shut(order.status)
    seccomp.apply(libc, calls, os.getpid())
    return ", ".join(layers)


def _entered(libc: LibC, calls: Calls, must: bool) -> bool:
    """Whether a new world was entered; where one must be, OSError says why it was not."""
    try:
        namespaces.enter(libc, calls)
    except OSError as error:
        if must:
            raise OSError(f"no namespaces ({error}), and no landlock 3 in their place") from None
        return False
    return True


def _next_process(libc: LibC) -> None:
    """Go on in a child; this process waits for it and ends as it does."""
    child = os.fork()
    if not child:
        libc.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    for number in (0, 1, 2):  # whoever reads waits for the child alone
        os.close(number)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _limit(order: Order, own_world: bool) -> None:
    limits = {
        resource.RLIMIT_CPU: order.cpu_s,
        resource.RLIMIT_AS: order.memory,
        resource.RLIMIT_FSIZE: order.file_size,
        resource.RLIMIT_NOFILE: LEFT_OPEN,
        resource.RLIMIT_CORE: 0,
    }
    if own_world:  # elsewhere it would count all that the user runs
        limits[resource.RLIMIT_NPROC] = MOST_THREADS
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    os.nice(NICER)


def _shut(status: int) -> None:
    """Close every descriptor that a parent may have left, but the four that are used."""
    os.closerange(3, status)
    os.closerange(status + 1, 4096)


def _say(order: Order, line: str) -> None:
    os.write(order.status, line.encode())
    os.close(order.status)
