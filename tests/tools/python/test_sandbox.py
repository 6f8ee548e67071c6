"""Real escapes from a real process: what holds here holds on the machine that runs the test."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.tools.python import landlock
from edge_agent.tools.python.libc import LibC
from edge_agent.tools.python.sandbox import Caps, NotConfined, Ran, Sandbox, readable_paths
from edge_agent.tools.python.syscalls import PROCESSORS
from tests.patience import until

KNOWN = sys.platform == "linux" and platform.machine() in PROCESSORS
pytestmark = pytest.mark.skipif(not KNOWN, reason="a machine that cannot confine")

WAYS = {
    "both": Caps(),
    "worlds": Caps(landlock=False),
    "landlock": Caps(worlds=False),
}


@pytest.fixture(scope="module")
def ways() -> dict[str, Caps]:
    """Those that this machine has."""
    return {name: way for name, way in WAYS.items() if is_there(way)}


def is_there(way: Caps) -> bool:
    if way.landlock and not way.worlds and landlock.version(LibC()) < landlock.ALONE:
        return False
    try:
        asyncio.run(Sandbox(way).run(""))
    except NotConfined as error:
        if way.worlds and not way.landlock and "namespaces" in str(error):
            return False
        raise
    return True


@pytest.fixture(params=WAYS)
def caps(request: pytest.FixtureRequest, ways: dict[str, Caps]) -> Caps:
    """Each way to close the files."""
    if request.param not in ways:
        pytest.skip(f"no {request.param} here")
    return ways[request.param]


async def run(code: str, caps: Caps) -> Ran:
    return await Sandbox(caps).run(code)


async def test_code_prints_and_its_last_expression_is_shown(caps: Caps) -> None:
    ran = await run("import math\nprint('pi')\nround(math.pi, 3)", caps)
    assert (ran.stdout, ran.stderr, ran.status, ran.ended) == ("pi\n3.142\n", "", 0, "done")


async def test_numbers_dates_and_packages_work(caps: Caps) -> None:
    code = (
        "import json, datetime, statistics, decimal, zoneinfo, threading, numpy\n"
        "t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n"
        "print(int(numpy.arange(10).reshape(5, 2).sum()), statistics.mean([1, 2]))\n"
        "print(datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Oslo')).utcoffset())"
    )
    ran = await run(code, caps)
    assert ran.stderr == ""
    assert ran.stdout == "thread\n45 1.5\n1:00:00\n"


async def test_an_error_shows_the_codes_own_lines(caps: Caps) -> None:
    ran = await run("def f(x):\n    return 1 / x\n\nf(0)", caps)
    assert ran.status == 1
    assert ran.stderr.startswith("Traceback") and 'File "<code>", line 2, in f' in ran.stderr
    assert "return 1 / x" in ran.stderr and "edge_agent" not in ran.stderr
    assert (await run("x = = 1", caps)).stderr.endswith("SyntaxError: invalid syntax\n")


ESCAPES = {
    "an inherited file": "import os\nfor n in range(3, 64):\n    try: os.fstat(n)\n"
    "    except OSError: continue\n    raise SystemExit(f'open: {{n}}')\nraise OSError",
    "a socket": "import socket; socket.socket()",
    "a socket of this machine": "import socket; socket.socket(socket.AF_UNIX)",
    "a raw socket": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a name look-up": "import socket; socket.getaddrinfo('example.com', 80)",
    "http": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/')",
    "a process": "import os; os.fork()",
    "a program": "import subprocess; subprocess.run(['/bin/sh', '-c', 'true'], check=True)",
    "a program in its place": "import os; os.execv('/bin/sh', ['sh', '-c', 'echo out'])",
    "a shell": "import os\nif os.system('true'): raise OSError",
    "workers": "import multiprocessing as m; m.Pool(2).map(abs, [1])",
    "the home directory": "import os\nif not {{*os.listdir({home!r})}} & {in_home}: raise OSError",
    "a file of the user": "open({secret!r}).read()",
    "a file through a link": "import os; os.symlink({secret!r}, 'l'); open('l').read()",
    "the password file": "open('/etc/passwd').read()",
    "processes in proc": "import os; os.listdir('/proc')",
    "variables of the parent": "import os; open(f'/proc/{{os.getppid()}}/environ').read()",
    "a disk": "open('/dev/vda', 'rb').read(1)",
    "the temporary files of others": "import os\nif {folder!r} in os.listdir('/tmp'): 1\n"
    "else: raise OSError",
    "writing beside it": "open({folder!r} + '/new', 'w')",
    "writing into a library": "import os; open(os.__file__, 'a')",
    "removing a library": "import os; os.unlink(os.__file__)",
    "changing a mode": "import os; os.chmod({secret!r}, 0o777)",
    "a signal to a parent": "import os; os.kill(os.getppid() or 1, 9)",
    "a signal to all": "import os; os.kill(-1, 9)",
    "a signal by a file": "import fcntl, os; fcntl.fcntl(0, fcntl.F_SETOWN, {pid})",
    "limits of another": "import resource; resource.prlimit({pid}, resource.RLIMIT_NOFILE, (1, 1))",
    "higher limits": "import resource as r; r.setrlimit(r.RLIMIT_CPU, (99999, 99999))",
    "tracing": "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.ptrace(0, 0, 0, 0) < 0: raise OSError",
    "another world": "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.unshare(0x10000000) < 0: raise OSError",
    "a mount": "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.mount(b'none', b'/tmp', b'tmpfs', 0, None) < 0: raise OSError",
    "calls in a ring": "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
    "b = ctypes.create_string_buffer(120)\nif c.syscall(425, 4, b) < 0: raise OSError",
    "becoming root": "import os; os.setuid(0); open('/etc/shadow').read()",
    "chroot": "import os; os.chroot('/')",
}


# what ends the process, or takes its place, leaves the others without their line
TRY_ALL = """
for name, code in {attempts!r}.items():
    try:
        exec(compile(code, name, "exec"), {{}})
    except Exception as error:
        print("held:", name)
    else:
        print("escaped:", name)
"""


async def test_every_escape_fails(caps: Caps, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    with socket.create_server(("127.0.0.1", 0)) as door:
        known = {
            "home": str(Path.home()),
            "in_home": in_home(),
            "secret": str(secret),
            "folder": str(tmp_path),
            "pid": os.getpid(),
            "port": door.getsockname()[1],
        }
        attempts = {name: code.format(**known) for name, code in ESCAPES.items()}
        ran = await run(TRY_ALL.format(attempts=attempts), caps)
        door.settimeout(0)
        with pytest.raises(BlockingIOError):
            door.accept()
    assert ran.stdout.splitlines() == [f"held: {name}" for name in ESCAPES], ran
    assert (ran.status, ran.ended) == (0, "done") and "the secret" not in ran.stderr
    assert secret.read_text() == "the secret" and list(tmp_path.iterdir()) == [secret]


async def test_an_endless_loop_is_ended_in_time(ways: dict[str, Caps]) -> None:
    began, seconds = time.monotonic(), 2.5
    code = "print('begun', flush=True)\nwhile True: pass"
    runs = (run(code, replace(way, seconds=seconds)) for way in ways.values())
    for ran in await asyncio.gather(*runs):
        assert (ran.ended, ran.stdout) == ("time", "begun\n")
    assert time.monotonic() - began < seconds + 20


async def test_endless_output_is_cut_and_ended(caps: Caps) -> None:
    short = Caps(output_chars=5_000, worlds=caps.worlds, landlock=caps.landlock)
    began = time.monotonic()
    ran = await run("while True: print('x' * 1000)", short)
    assert ran.ended == "output" and len(ran.stdout) == 5_000
    assert time.monotonic() - began < short.seconds


async def test_memory_is_bounded(caps: Caps) -> None:
    ran = await run("x = bytearray(4 << 30)\nprint(len(x))", caps)
    assert "MemoryError" in ran.stderr and ran.stdout == ""


async def test_threads_are_bounded(caps: Caps) -> None:
    code = (
        "import threading, time\nn = 0\n"
        "try:\n    while n < 100_000:\n"
        "        threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1\n"
        "except (RuntimeError, MemoryError): pass\nprint(n)"
    )
    ran = await run(code, caps)
    assert ran.ended == "done" and int(ran.stdout) < 1_000


async def test_files_are_bounded_and_gone_afterwards() -> None:
    caps = Caps(files_mib=2)
    write = "open('a.txt', 'w').write('kept')\nprint(open('a.txt').read())"
    ran = await run(write, caps)
    if "namespaces" not in ran.confined:
        pytest.skip("without a world of its own code writes no files at all")
    assert ran.stdout == "kept\n"
    assert "Error" in (await run("open('b', 'w').write('x' * (8 << 20))", caps)).stderr
    many = "for i in range(10_000): open(f'f{i}', 'w').close()"
    assert "No space left" in (await run(many, caps)).stderr
    assert "FileNotFoundError" in (await run("open('a.txt')", caps)).stderr


async def test_nothing_is_left_when_the_asker_goes_away() -> None:
    others = set(_children())  # of tests before, such as the server that multiprocessing keeps
    task = asyncio.create_task(run("import time; time.sleep(60)", Caps()))
    await until(lambda: bool(set(_children()) - others))
    await asyncio.sleep(0.5)  # so that the code runs, and not only what prepares it
    children = set(_children()) - others
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()])


async def test_without_a_way_to_close_the_files_nothing_is_run() -> None:
    with pytest.raises(NotConfined, match="neither user namespaces nor landlock"):
        await run("print('ran')", Caps(worlds=False, landlock=False))


def in_home() -> set[str]:
    """What lies in the home directory and is not on the way to the interpreter."""
    home = Path.home()
    shown = {
        Path(path).relative_to(home).parts[0]
        for path in readable_paths()
        if path.startswith(f"{home}/")
    }
    return {entry.name for entry in home.iterdir()} - shown | {"nothing"}


def _children() -> list[int]:
    """This process's descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid for pid, parent in parents.items() if parent == os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found
