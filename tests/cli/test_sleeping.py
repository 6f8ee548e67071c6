"""`edge-agent serve --sleep-idle-seconds`: the model goes when nobody asks, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.patience import HANG_S

from .shell import Server, Shell, eventually

FLAGS = (
    *("--model", "smollm2-135m-instruct", "--ctx-size", "1024", "--parallel", "2"),
    *(
        "--sleep-idle-seconds",
        "1",
        "--metrics",
        "--slots",
        "--alias",
        "tiny,small",
        "--tags",
        "a,b",
    ),
)
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Server]:
    with Shell(tmp_path_factory.mktemp("sleeping")).serving(*FLAGS) as running:
        yield running


def is_sleeping(server: Server) -> bool:
    return bool(httpx.get(f"{server.url}/props").json()["is_sleeping"])


def engines(server: Server) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if is_engine(child)]


def is_engine(process: psutil.Process) -> bool:
    try:
        return "edge_agent.engine.process" in process.cmdline()
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return False


def metric(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


def test_the_engine_goes_when_nobody_asks_and_only_a_request_brings_it_back(
    server: Server,
) -> None:
    assert eventually(lambda: is_sleeping(server), HANG_S)
    assert eventually(lambda: not engines(server), HANG_S)
    for path in ("/health", "/v1/models", "/models", "/props", "/slots", "/metrics", "/"):
        assert httpx.get(server.url + path).status_code == 200
    assert is_sleeping(server) and not engines(server)
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=90)
    assert answer.status_code == 200 and answer.json()["usage"]["completion_tokens"] == 4
    long = {**CHAT, "max_tokens": 900, "ignore_eos": True, "stream": True}
    url = f"{server.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=long, timeout=90) as stream:
        next(stream.iter_lines())
        assert not is_sleeping(server) and len(engines(server)) == 1
    assert httpx.get(f"{server.url}/health").json()["restarts"] == 0


def test_what_was_counted_is_told_while_it_sleeps(server: Server) -> None:
    assert eventually(lambda: is_sleeping(server), HANG_S)
    before = metric(server, "llamacpp:tokens_predicted_total")
    httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=90)
    assert metric(server, "llamacpp:tokens_predicted_total") == before + 4
    assert eventually(lambda: is_sleeping(server), HANG_S)
    assert metric(server, "llamacpp:tokens_predicted_total") == before + 4
    assert metric(server, "llamacpp:n_decode_total") > 4
    assert is_sleeping(server)


def test_the_server_says_what_it_is(server: Server) -> None:
    props = httpx.get(f"{server.url}/props").json()
    assert props["total_slots"] == 2 and props["model_path"].endswith(".gguf")
    assert props["default_generation_settings"]["n_ctx"] == 512
    assert [slot["n_ctx"] for slot in httpx.get(f"{server.url}/slots").json()] == [512, 512]
    model = httpx.get(f"{server.url}/models").json()["data"][0]
    assert (model["id"], model["aliases"]) == ("small", ["small", "tiny"])
    assert model["tags"] == ["a", "b"]
    assert model["meta"]["n_vocab"] == 49152
    assert set(model["capabilities"]) >= {"chat", "tools", "structured_output", "completion"}
    assert "thinking" not in model["capabilities"]
