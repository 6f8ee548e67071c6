"""The socket, and how a server stops: a real process and real signals."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge_agent.errors import ConfigError
from edge_agent.server.serve import CLEANUP_S, GRACE_S, bind, url_of
from tests.patience import HANG_S

ROOT = Path(__file__).parents[2]
BODY = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.server.standalone"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_time_though_a_stream_is_open(
    process: subprocess.Popen[str], number: int
) -> None:
    assert process.stdout
    url = process.stdout.readline().strip()
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=BODY) as answer:
        lines = answer.iter_lines()
        next(lines)
        began = time.monotonic()
        process.send_signal(number)
        last = [line for line in lines if line][-1]
    out, err = process.communicate(timeout=HANG_S)
    assert time.monotonic() - began < 3 * (GRACE_S + CLEANUP_S)  # the stream would never end
    assert (process.returncode, out) == (0, "ended well\n")
    assert "stopping" in last
    assert "Traceback" not in err


def test_a_signal_stops_an_idle_server_at_once(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    process.stdout.readline()
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=HANG_S) == 0
    assert time.monotonic() - began < GRACE_S


def test_a_port_in_use_is_a_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            bind("127.0.0.1", port)
    sentence = f"Port {port} on 127.0.0.1 is in use: choose another with --port."
    assert str(caught.value) == sentence


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_that_is_not_here_is_a_sentence(host: str) -> None:
    with pytest.raises(ConfigError, match="--host"):
        bind(host, 0)


def test_a_bound_port_can_be_reached_at_its_url() -> None:
    with bind("localhost", 0) as door:
        host, port = door.getsockname()[:2]
        with socket.create_connection((host, port), timeout=HANG_S):
            assert url_of(door).endswith(f":{port}")
