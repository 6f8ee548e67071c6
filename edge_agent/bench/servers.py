"""What is measured through HTTP: this program's own server, and its peers from PyPI."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.bench.http import Dialect, HttpSubject, http_client
from edge_agent.bench.rig import run
from edge_agent.bench.serving import serving
from edge_agent.bench.subject import Ask, Kind
from edge_agent.bench.words import Words
from edge_agent.engine.params import LoadSpec

HOST = "127.0.0.1"
URL = r"(http://[\w.]+:\d+)"  # what is printed beside it may follow without a blank
WARM_UP_TOKENS = 128
XLLAMACPP = Path(__file__).with_name("peer_xllamacpp.py")
Command = Callable[[LoadSpec], list[str]]


@dataclass(frozen=True, slots=True)
class ServerContender:
    """A server that is started by a command. See `Contender`."""

    name: str
    kind: Kind
    command: Command
    answers: re.Pattern[str]
    dialect: Dialect
    words: Words

    @asynccontextmanager
    async def open(self, spec: LoadSpec) -> AsyncIterator[HttpSubject]:
        """See `Contender.open`."""
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-agent-bench-"))
            environment = _environment(Path(folder))
            server = await stack.enter_async_context(
                serving(self.command(spec), environment, self.answers)
            )
            client = await stack.enter_async_context(http_client())
            subject = HttpSubject(server, self.words, self.dialect, client)
            await subject.learn_template()
            await run(subject, Ask(subject.new(min(WARM_UP_TOKENS, spec.n_batch)), 8))
            yield subject


def _environment(folder: Path) -> dict[str, str]:
    """Of the server's process: the caller's, with folders of its own."""
    return {
        **os.environ,
        "EDGE_AGENT_DATA_DIR": str(folder / "data"),
        "EDGE_AGENT_CACHE_DIR": str(folder / "cache"),
        "PYTHONUNBUFFERED": "1",
    }


def own_server(words: Words) -> ServerContender:
    """`edge-agent serve`."""
    return ServerContender(
        name="HTTP",
        kind="server",
        command=_serve,
        answers=re.compile(rf"answers at {URL}"),
        dialect=Dialect({"ignore_eos": True}, {"speculative": False}),
        words=words,
    )


def _serve(spec: LoadSpec) -> list[str]:
    return [
        *(sys.executable, "-m", "edge_agent", "serve", "--host", HOST, "--port", "0"),
        *("--model", spec.path, "--ctx-size", str(spec.n_ctx), "--parallel", str(spec.n_parallel)),
        *("--batch-size", str(spec.n_batch), "--threads", str(spec.n_threads)),
        *("--n-gpu-layers", str(spec.n_gpu_layers), "--kv-type", spec.kv_type),
        *("--chunk", str(spec.shared_chunk), "--metrics"),
    ]


def xllamacpp(words: Words, python: str) -> ServerContender:
    """llama.cpp's own server, from the package xllamacpp."""

    def command(spec: LoadSpec) -> list[str]:
        asked = (spec.path, spec.n_ctx, spec.n_parallel, spec.n_batch, spec.n_threads)
        return [python, str(XLLAMACPP), *map(str, asked), str(spec.n_gpu_layers), spec.kv_type]

    return ServerContender(
        name="xllamacpp",
        kind="peer",
        command=command,
        answers=re.compile(rf"peer answers at {URL}"),
        dialect=Dialect({"ignore_eos": True}, {}),
        words=words,
    )


def llama_cpp_server(words: Words, ends: frozenset[int], python: str) -> ServerContender:
    """The server of llama-cpp-python, which serves one request at a time."""
    return ServerContender(
        name="llama_cpp.server",
        kind="peer",
        command=lambda spec: _llama_cpp_server(spec, python),
        answers=re.compile(rf"running on {URL}"),
        dialect=Dialect(_biased(ends), {}),
        words=words,
    )


def _llama_cpp_server(spec: LoadSpec, python: str) -> list[str]:
    cells = {"f16": 1, "q8_0": 8}[spec.kv_type]  # enum ggml_type in ggml.h
    return [
        *(python, "-m", "llama_cpp.server", "--model", spec.path, "--host", HOST),
        *("--port", str(_free_port()), "--n_ctx", str(spec.n_ctx), "--n_batch", str(spec.n_batch)),
        *("--n_ubatch", str(spec.n_batch), "--n_threads", str(spec.n_threads)),
        *("--n_threads_batch", str(spec.n_threads), "--n_gpu_layers", str(spec.n_gpu_layers)),
        *("--type_k", str(cells), "--type_v", str(cells), "--verbose", "False"),
        *("--interrupt_requests", "False"),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _biased(ends: frozenset[int]) -> Mapping[str, object]:
    return {"logit_bias": {str(id): -100.0 for id in sorted(ends)}}


def has_modules(python: str, modules: Sequence[str]) -> bool:
    """Whether an interpreter can import them."""
    code = (
        "import sys; from importlib.util import *; sys.exit(None in map(find_spec, sys.argv[1:]))"
    )
    done = subprocess.run([python, "-c", code, *modules], capture_output=True, check=False)
    return done.returncode == 0
