"""Servers as processes: waited for, stopped, and those that do not start."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.machine import cpu_seconds, family, resident_bytes
from edge_agent.bench.servers import has_modules
from edge_agent.bench.serving import serving

ANSWERS = re.compile(r"answers at (http://[\w.]+:\d+)")
TALKS = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
try:
    print("loading", file=sys.stderr)
    print("answers at http://127.0.0.1:8123and more", file=sys.stderr, flush=True)
    time.sleep(60)
finally:
    child.kill()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_answers_where_it_says_and_ends_with_the_block() -> None:
    command = [sys.executable, "-c", TALKS]
    async with serving(command, os.environ, ANSWERS) as server:
        assert server.url == "http://127.0.0.1:8123"
        own, child = server.pids()
        assert own == server.pid and alive(child)
    assert not alive(own)


async def test_a_server_that_dies_tells_its_last_words() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with pytest.raises(Lacking, match="did not start: no such model"):
        async with serving(command, os.environ, ANSWERS):
            pass


def test_modules_are_looked_for_in_the_interpreter_that_is_named() -> None:
    assert has_modules(sys.executable, ["json", "asyncio"])
    assert not has_modules(sys.executable, ["json", "no_module_of_this_name"])


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="not told here")
def test_what_a_process_holds_and_uses_is_read() -> None:
    held = resident_bytes(os.getpid())
    assert held["Rss"] >= held["Pss"] >= held["Pss_Anon"] > 1 << 20
    assert cpu_seconds(os.getpid()) > 0
    assert family(os.getpid())[0] == os.getpid()
    assert resident_bytes(2**22 + 1) == {}
