"""Many requests for tool calls, and whether what was emitted is what the schemas allow.

    python -m benchmarks.tool_battery --peer-python PATH [--model NAME ...] [--json]

Ten tools of rising difficulty, two questions each, with tool_choice auto, required and named,
streamed and not, over each model: 240 requests to each server with the usual two models. Greedy and
one request at a time. Exit code 1 when a call of this program's own server does not parse or
validate, or none came where one had to.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.tool_calls import Answer, ask, faults_of
from benchmarks.tool_schemas import CASES, Case, Json
from edge_agent.bench.http import http_client
from edge_agent.bench.servers import URL, XLLAMACPP
from edge_agent.bench.serving import serving
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.pull import pull
from edge_agent.config import load_settings

MODELS = ("smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct")
CHOICES = ("auto", "required", "named")
N_CTX = 4096
N_BATCH = 512
MAX_TOKENS = 384  # the longest right call of the ten has about 200
DECOY: Json = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time of the day.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


@dataclass(frozen=True, slots=True)
class Request:
    """One of the battery."""

    case: Case
    question: str
    choice: str
    streamed: bool

    @property
    def body(self) -> Json:
        """What is sent to /v1/chat/completions."""
        named = {"type": "function", "function": {"name": self.case.name}}
        return {
            "messages": [{"role": "user", "content": self.question}],
            "tools": [self.case.tool, DECOY],
            "tool_choice": named if self.choice == "named" else self.choice,
            "temperature": 0,
            "seed": 1,
            "max_tokens": MAX_TOKENS,
            "cache_prompt": False,  # what one answer is does not hang on those before it
            "stream": self.streamed,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the requests of one kind to one server.

    called: requests that got a call. calls: all calls; valid: those that parse and that the schema
    of their tool allows. cut: answers that the limit of tokens ended, where a call that was not
    whole is none. faults: what was wrong, and how often.
    """

    server: str
    model: str
    choice: str
    requests: int
    called: int
    calls: int
    valid: int
    cut: int
    faults: dict[str, int]


def requests(cases: Sequence[Case] = CASES) -> Iterator[Request]:
    """All of them, for one model."""
    for case in cases:
        for question in case.questions:
            for choice in CHOICES:
                for streamed in (False, True):
                    yield Request(case, question, choice, streamed)


async def battery(
    url: str,
    server: str,
    model: str,
    client: httpx.AsyncClient,
    say: Callable[[str], None],
    cases: Sequence[Case] = CASES,
) -> list[Row]:
    """One server over one model; a row for each tool_choice."""
    found: dict[str, list[tuple[Request, Answer]]] = {choice: [] for choice in CHOICES}
    for request in requests(cases):
        answer = await ask(client, f"{url}/v1/chat/completions", request.body)
        found[request.choice].append((request, answer))
        for fault in _faults(request, answer):
            kind = "streamed" if request.streamed else "whole"
            say(f"{server}, {model}, {request.case.hard}, {request.choice}, {kind}: {fault}")
    return [_row(server, model, choice, each) for choice, each in found.items()]


def _row(server: str, model: str, choice: str, each: Sequence[tuple[Request, Answer]]) -> Row:
    faults = Counter(
        fault.partition(":")[0] for request, answer in each for fault in _faults(request, answer)
    )
    calls = [faults_of(call, r.body["tools"]) for r, answer in each for call in answer.calls]
    return Row(
        server,
        model,
        choice,
        requests=len(each),
        called=sum(bool(answer.calls) for _, answer in each),
        calls=len(calls),
        valid=sum(not wrong for wrong in calls),
        cut=sum(answer.is_cut for _, answer in each),
        faults=dict(faults),
    )


def _faults(request: Request, answer: Answer) -> Iterator[str]:
    if answer.error:
        yield answer.error
        return
    if request.choice != "auto" and not answer.calls:
        yield "cut off before the call was whole" if answer.is_cut else "no call"
    for call in answer.calls:
        yield from faults_of(call, request.body["tools"])
        if request.choice == "named" and call.name != request.case.name:
            yield "another tool than the named one"


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| server | model | tool_choice | requests | with a call | calls | valid | cut | faults |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        faults = ", ".join(f"{n} {fault}" for fault, n in sorted(row.faults.items())) or "none"
        counts = f"{row.requests} | {row.called} | {row.calls} | {row.valid} | {row.cut}"
        lines.append(f"| {row.server} | {row.model} | {row.choice} | {counts} | {faults} |")
    return "\n".join(lines)


Command = Callable[[Path, int], list[str]]


def own_command(path: Path, threads: int) -> list[str]:
    """`edge-agent serve`."""
    return [
        *(sys.executable, "-m", "edge_agent", "serve", "--host", "127.0.0.1", "--port", "0"),
        *("--model", str(path), "--ctx-size", str(N_CTX), "--parallel", "1"),
        *("--batch-size", str(N_BATCH), "--threads", str(threads)),
    ]


def peer_command(python: str) -> Command:
    """llama.cpp's server, from the package xllamacpp of an interpreter."""

    def command(path: Path, threads: int) -> list[str]:
        numbers = (N_CTX, 1, N_BATCH, threads, 0)
        return [python, str(XLLAMACPP), str(path), *map(str, numbers), "f16"]

    return command


@asynccontextmanager
async def started(command: Sequence[str]) -> AsyncIterator[str]:
    """The URL of a server that runs until the block ends. Raises Lacking."""
    with tempfile.TemporaryDirectory(prefix="edge-agent-battery-") as folder:
        environment = {**os.environ, "EDGE_AGENT_DATA_DIR": folder, "PYTHONUNBUFFERED": "1"}
        async with serving(command, environment, re.compile(rf"answers at {URL}")) as server:
            yield server.url


async def run(
    servers: dict[str, Command], models: Sequence[str], threads: int, say: Callable[[str], None]
) -> list[Row]:
    """Every server over every model, one after the other."""
    rows: list[Row] = []
    async with http_client() as client:
        for model in models:
            for name, command in servers.items():
                async with started(command(_path(model), threads)) as url:
                    rows += await battery(url, name, model, client, say)
                say(f"{name}, {model}: done")
    return rows


def is_good(row: Row) -> bool:
    """Whether all calls are valid, and there is one for each request that wants one."""
    return row.valid == row.calls and (row.choice == "auto" or not row.faults)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", help="a model card's name, or a GGUF file")
    parser.add_argument("--peer-python", help="an interpreter that can import xllamacpp")
    parser.add_argument("--peer-only", action="store_true", help="without this program's server")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers end too
    servers: dict[str, Command] = {} if given.peer_only else {"edge-agent": own_command}
    if given.peer_python:
        servers["llama-server"] = peer_command(given.peer_python)
    rows = asyncio.run(run(servers, given.model or MODELS, given.threads, _say))
    told: Any = [dataclasses.asdict(row) for row in rows]
    print(json.dumps(told, indent=2) if given.json else table(rows))
    return 0 if all(is_good(row) for row in rows if row.server == "edge-agent") else 1


def _path(model: str) -> Path:
    if model.endswith(".gguf"):
        return Path(model)
    models_dir = load_settings().models_dir
    return pull(Catalog.load(models_dir).get(model), models_dir)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
