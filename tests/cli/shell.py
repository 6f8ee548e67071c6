"""The command line as a person meets it: real processes, with folders of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from typer.testing import CliRunner

from edge_agent.cli.main import app
from edge_agent.config import load_settings
from tests.patience import HANG_S

ROOT = Path(__file__).parents[2]
LOAD_S = 90  # a model of 135M weights loads in two seconds; this is for a machine that is busy
URL = re.compile(r"http://\S+")


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs `edge-agent` with its data and cache in `folder`, and the models of the tests."""

    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "EDGE_AGENT_MODELS_DIR": str(load_settings().models_dir),
            "EDGE_AGENT_DATA_DIR": str(self.folder / "data"),
            "EDGE_AGENT_CACHE_DIR": str(self.folder / "cache"),
            "EDGE_AGENT_CONFIG": str(self.folder / "config.toml"),
            "COLUMNS": "100",
            **more,
        }

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "edge_agent", *map(str, arguments)]

    def run(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """What a command that ends by itself printed, and its exit status."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def inside(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """As `run`, in this process, which has imported everything already."""
        words = [str(argument) for argument in arguments]
        done = CliRunner(env=self.environment(**more)).invoke(app, words)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def refused(self, *arguments: str | Path, **more: str) -> str:
        """The one sentence of a command that must fail with status 1 and print no result.

        Runs in this process, which has imported everything already; `run` shows the real one.
        """
        runner = CliRunner(env=self.environment(**more))
        done = runner.invoke(app, [str(argument) for argument in arguments])
        lines = [line for line in done.stderr.splitlines() if line.startswith("edge-agent: ")]
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        assert isinstance(done.exception, SystemExit), done.exception
        assert len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
        return lines[0].removeprefix("edge-agent: ")

    @contextmanager
    def serving(self, *arguments: str | Path) -> Iterator[Server]:
        """A server with the given flags on a free port, ready; killed at the end if need be."""
        log = self.folder / "server.log"
        command = self.command("serve", "--port", "0", "--threads", "1", *arguments)
        with log.open("w") as err:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=subprocess.DEVNULL, stderr=err
            )
        server = Server(process, log)
        try:
            assert eventually(lambda: server.ready or server.ended, LOAD_S), log.read_text()
            assert not server.ended, log.read_text()
            yield server
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Server:
    """A running `edge-agent serve`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ready(self) -> bool:
        return " answers at http://" in self.log.read_text()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def url(self) -> str:
        """As the server printed it."""
        found = URL.search(self.log.read_text().partition(" answers at ")[2])
        assert found
        return found[0]

    def engine(self) -> psutil.Process:
        """The engine process that is alive."""
        children = psutil.Process(self.process.pid).children()
        (engine,) = (c for c in children if "edge_agent.engine.process" in c.cmdline())
        return engine

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """(exit status, seconds until it ended) after a signal."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(HANG_S), time.monotonic() - began


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()
