"""Kill servers of agent runs at random moments, and look whether the runs lost anything by it.

    python -m benchmarks.sigkill --kills 100 [--seed N] [--json]
    python -m benchmarks.sigkill --real MODEL --kills 5 [--seed N] [--json]

Without a model the runs are of a fake one, over tools that write every call that is carried out
into a file: a second is enough for a kill. With one, `edge-agent serve` is killed with all its
processes while it answers questions about the sample site. Either way the server begins again
after each kill, all runs must end, what was in the journal before must be in it after, and no tool
call that was recorded as done may be made again. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import httpx

from edge_agent.cli.sample import examples_dir, sample_site
from edge_agent.config import load_settings
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import UNFINISHED, EventRow, RunRow, RunStore
from tests.agent.runs.slaughter import Slaughter, Tally

READY_S = 180.0
END_S = 1800.0
LONGEST_S = 12.0  # a server with a real model lives at most so long after it is ready
AT_ONCE = 3  # questions asked whenever all before have been answered
URL = re.compile(r"http://\S+")


class Served:
    """`edge-agent serve` over one journal, killed with all its processes and begun again."""

    def __init__(self, folder: Path, model: str, seed: int) -> None:
        self._folder = folder
        self._model = model
        self._random = random.Random(seed)
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self.tally = Tally()

    def kill(self, times: int) -> Tally:
        """Kill until `times` servers died with work in their hands, then let the runs end."""
        while self.tally.kills < times:
            self._begin()
            self._ask()
            time.sleep(self._random.uniform(0, LONGEST_S))
            before = self._rows()
            self._end()
            self.tally.kills += any(row.status in UNFINISHED for row in self._rows())
            self._compare(before)
        self._begin()
        self._wait()
        self._end()
        self._final()
        return self.tally

    def _begin(self) -> None:
        log = self._folder / "server.log"
        command = [sys.executable, "-m", "edge_agent", "serve", "--port", "0", "--threads", "1"]
        command += ["--model", self._model, "--library", f"site={sample_site()}"]
        models = str(load_settings().models_dir)
        kept = {"EDGE_AGENT_DATA_DIR": str(self._folder), "EDGE_AGENT_MODELS_DIR": models}
        with log.open("w") as err:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **kept},
                stdout=subprocess.DEVNULL,
                stderr=err,
                start_new_session=True,
            )
        end = time.monotonic() + READY_S
        while not (found := URL.search(log.read_text("utf-8"))):
            if time.monotonic() > end or self._process.poll() is not None:
                raise SystemExit(f"The server did not start:\n{log.read_text('utf-8')}")
            time.sleep(0.1)
        self._url = found[0]

    def _ask(self) -> None:
        """New questions, when there is none left to answer."""
        if any(row.status in UNFINISHED for row in self._rows()):
            return
        for task in self._random.sample(_questions(), AT_ONCE):
            body = {"task": task, "background": True, "limits": {"steps": 6, "seconds": 600}}
            httpx.post(f"{self._url}/agent/run", json=body, timeout=60).raise_for_status()

    def _end(self) -> None:
        """SIGKILL to the server and its engine."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + END_S
        while any(row.status in UNFINISHED for row in self._rows()):
            if time.monotonic() > end:
                self.tally.faults.append("a run did not end")
                return
            time.sleep(0.5)

    def _rows(self) -> list[RunRow]:
        with closing(open_journal(self._folder / "journal.sqlite")) as journal:
            store = RunStore(journal)
            return [store.get(row.id) for row in store.list(10_000)]

    def _compare(self, before: Sequence[RunRow]) -> None:
        after = {row.id: row.events for row in self._rows()}
        for row in before:
            if after.get(row.id, ())[: len(row.events)] != row.events:
                self.tally.faults.append(f"{row.id}: the journal of before is not in that of after")

    def _final(self) -> None:
        rows = self._rows()
        self.tally.runs = len(rows)
        for row in rows:
            steps = [event.payload["step"] for event in row.events if event.kind == "step"]
            self.tally.steps += len(steps)
            self.tally.calls += sum(event.kind == "tool_begun" for event in row.events)
            begun = sum(event.kind == "step_started" for event in row.events)
            self.tally.cut_steps += begun - len(steps)
            self.tally.faults += [f"{row.id}: {fault}" for fault in _faults(row, steps)]


def _faults(row: RunRow, steps: list[dict[str, object]]) -> list[str]:
    result = row.result or {}
    faults = [f"{call} was made again" for call in _repeated(row.events)]
    if row.status != "completed":
        faults.append(f"ended as {row.status}, {row.reason}: {result.get('answer')}")
    elif not result["answer"] or result["steps"] != steps:
        faults.append("it has no answer, or other steps than its journal")
    if [step["number"] for step in steps] != list(range(1, len(steps) + 1)):
        faults.append(f"its steps are {[step['number'] for step in steps]}")
    return faults


def _questions() -> list[str]:
    lines = (examples_dir() / "questions.jsonl").read_text("utf-8").splitlines()
    return [str(json.loads(line)["question"]) for line in lines]


def _repeated(events: Sequence[EventRow]) -> list[str]:
    """Calls that were begun in a life of the server after the one in which they were done."""
    done: set[str] = set()
    now: set[str] = set()
    again: list[str] = []
    for event in events:
        if event.kind == "resumed":
            done |= now
        elif event.kind in ("tool_begun", "tool_done"):
            call = json.dumps([event.payload["tool"], event.payload["arguments"]], sort_keys=True)
            if event.kind == "tool_done":
                now.add(call)
            elif call in done:
                again.append(call)
    return again


def main() -> int:
    """Print what came of it; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--real", metavar="MODEL", help="a model of the catalog, or a GGUF file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if given.real:
            tally = Served(Path(folder), given.real, given.seed).kill(given.kills)
        else:
            with closing(Slaughter(Path(folder), given.seed)) as slaughter:
                tally = slaughter.kill(given.kills)
    told = {**asdict(tally), "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(told) if given.json else _told(told))
    return 1 if tally.faults else 0


def _told(told: dict[str, object]) -> str:
    return "\n".join(f"{name:>10}  {value}" for name, value in told.items())


if __name__ == "__main__":
    sys.exit(main())
