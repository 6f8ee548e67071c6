"""Running servers for other people's clients; `make test-clients` runs the tests of this folder.

Only the standard library and pytest are imported here: the clients live in an environment of their
own, and the server is a process of another one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ASKED = "EDGE_AGENT_TEST_CLIENTS"  # set by `make test-clients`
SERVER_PYTHON = os.environ.get("EDGE_AGENT_PYTHON", sys.executable)
SMALL = "smollm2-135m-instruct"  # fast, for words
CALLER = "qwen2.5-coder-0.5b-instruct"  # calls tools
ANSWERS = re.compile(r"answers at (http://127\.0\.0\.1:\d+)")
START_S = 300.0


@dataclass(frozen=True)
class Server:
    """A server that answers; `v1` is what OpenAI's clients call the base URL."""

    url: str
    model: str

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture(autouse=True, scope="session")
def _asked_for() -> None:
    if not os.environ.get(ASKED):
        pytest.skip("clients of others are tested by `make test-clients`")


@pytest.fixture(scope="session")
def small(_asked_for: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """135M weights: it writes words, whatever they mean."""
    with running(SMALL, tmp_path_factory.mktemp("small")) as server:
        yield server


@pytest.fixture(scope="session")
def caller(_asked_for: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """0.5B weights: it calls the tools it is given."""
    with running(CALLER, tmp_path_factory.mktemp("caller")) as server:
        yield server


@contextmanager
def running(model: str, folder: Path) -> Iterator[Server]:
    """`edge-agent serve` on a free port of the loopback address, until the block ends."""
    command = [
        *(SERVER_PYTHON, "-m", "edge_agent", "serve", "--host", "127.0.0.1", "--port", "0"),
        *("--model", model, "--ctx-size", "8192", "--parallel", "2", "--seed", "7"),
    ]
    environment = {**os.environ, "EDGE_AGENT_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield Server(_url(process, said.fileno()), model)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url(process: subprocess.Popen[bytes], said: int) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        ended = process.poll() is not None
        text = os.pread(said, 1 << 20, 0).decode(errors="replace")
        if found := ANSWERS.search(text):
            return found[1]
        if ended:
            pytest.fail(f"the server did not start:\n{text[-2000:]}")
        time.sleep(0.1)
    pytest.fail(f"the server did not start in {START_S:.0f} s")
