"""`edge-agent serve` as a process: what it answers, how it stops, what a crash costs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.patience import HANG_S

from .shell import Server, Shell, eventually

SMALL = ("--model", "smollm2-135m-instruct", "--ctx-size", "2048", "--parallel", "2")
USER: list[Any] = [{"role": "user", "content": "Tell a story."}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Server]:
    with Shell(tmp_path_factory.mktemp("server")).serving(*SMALL, "--alias", "tiny") as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Server]:
    """One with keys and a library that has nothing in it."""
    shell = Shell(tmp_path_factory.mktemp("locked"))
    (shell.folder / "empty").mkdir()
    flags = ("--api-key", "first,second", "--library", f"manuals={shell.folder / 'empty'}")
    with shell.serving(*SMALL, *flags) as running:
        yield running


def client_of(server: Server, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=120)


def completion(server: Server, key: str = "", **body: Any) -> httpx.Response:
    body = {"messages": USER, "max_tokens": 4, **body}
    headers = {"Authorization": f"Bearer {key}"} if key else None
    url = f"{server.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers=headers, timeout=120)


def test_port_0_prints_the_url_that_answers(server: Server) -> None:
    assert not server.url.endswith(":0")
    health = httpx.get(f"{server.url}/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


def test_the_official_client_lists_the_model_and_streams_a_chat(server: Server) -> None:
    client = client_of(server)
    model, agent = client.models.list().data
    assert (model.id, agent.id) == ("tiny", "agent")
    for name in ("tiny", "auto", "smollm2-135m-instruct"):
        answer = client.chat.completions.create(model=name, messages=USER, max_tokens=4)
        assert answer.model == "tiny" and answer.choices[0].message.content
    stream = client.chat.completions.create(model="tiny", messages=USER, max_tokens=12, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert sum(bool(piece) for piece in pieces) > 3


def test_parallel_divides_the_window_as_in_llama_server(server: Server) -> None:
    refused = completion(server, messages=[{"role": "user", "content": "word " * 1500}])
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["n_ctx"]) == (
        400,
        "exceed_context_size_error",
        1024,
    )


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "gpt-4"}, 200, ""),
        ({"logit_bias": {"49152": 5}}, 400, "logit_bias: 49152 is not a token id"),
        ({"response_format": {"type": "json_object", "schema": {"type": "x"}}}, 400, "Invalid"),
        ({"presence_penalty": 1.5, "repeat_penalty": 1.2}, 200, ""),
    ],
)
def test_a_bad_request_costs_nobody_else(
    server: Server, body: dict[str, Any], status: int, said: str
) -> None:
    answer = completion(server, **body)
    assert answer.status_code == status
    assert said in answer.json().get("error", {}).get("message", "")
    assert httpx.get(f"{server.url}/health").json()["restarts"] == 0


@pytest.mark.parametrize("library", ["/etc", "../../etc", "manuals"])
def test_a_library_is_a_name_and_never_a_path(server: Server, library: str) -> None:
    body = {"task": "Who?", "library": library}
    answer = httpx.post(f"{server.url}/agent/run", json=body)
    assert answer.status_code == 404 and "There is no library" in answer.text


def test_of_fifty_requests_at_once_none_is_lost(server: Server) -> None:
    def ask(n: int) -> httpx.Response:
        message = {"role": "user", "content": f"Count to {n}."}
        return completion(server, messages=[message], max_tokens=3)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert all(answer.json()["usage"]["completion_tokens"] == 3 for answer in answers)


def test_a_client_that_leaves_in_a_prefill_leaves_room_for_the_next(server: Server) -> None:
    long: list[Any] = [{"role": "user", "content": "word " * 900}]
    for _ in range(6):  # more than the sequences and the cells there are
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json={"messages": long}, timeout=0.3)
    assert completion(server).status_code == 200


def test_an_engine_killed_in_a_chat_costs_that_chat_only(locked: Server) -> None:
    client, killed = client_of(locked, "first"), locked.engine()
    stream = client.chat.completions.create(model="auto", messages=USER, stream=True)
    with pytest.raises(openai.APIError, match="died of signal SIGKILL"):
        for n, _ in enumerate(stream):
            if n == 2:
                killed.kill()
    answer = client.chat.completions.create(model="auto", messages=USER, max_tokens=4)
    assert answer.choices[0].message.content
    health = httpx.get(f"{locked.url}/health").json()
    assert (health["status"], health["restarts"]) == ("ok", 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_server_and_engine_in_time(
    shell: Shell, smollm2_path: Path, number: signal.Signals
) -> None:
    with shell.serving(*SMALL) as server:
        engine = server.engine()
        stream = client_of(server).chat.completions.create(model="auto", messages=USER, stream=True)
        next(iter(stream))
        code, seconds = server.stop(number)
        assert code == 0
        assert seconds < 20  # the chat would go on for longer
        assert not engine.is_running()
        assert "Traceback" not in server.log.read_text()


def test_an_engine_does_not_outlive_a_server_that_is_killed(
    shell: Shell, smollm2_path: Path
) -> None:
    with shell.serving(*SMALL) as server:
        engine = server.engine()
        stream = client_of(server).chat.completions.create(model="auto", messages=USER, stream=True)
        next(iter(stream))
        server.stop(signal.SIGKILL)
        assert eventually(lambda: gone(engine), HANG_S)


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_api_key_is_asked_for(locked: Server) -> None:
    assert completion(locked).status_code == 401
    assert completion(locked, "second").status_code == 200


def test_an_empty_library_is_one_sentence_in_the_run(locked: Server) -> None:
    limits = {"steps": 1, "seconds": 60}
    body = {"task": "Who keeps the light?", "library": "manuals", "limits": limits}
    url, headers = f"{locked.url}/agent/run", {"Authorization": "Bearer first"}
    run = httpx.post(url, json=body, headers=headers, timeout=120).json()
    assert (run["status"], run["reason"]) == ("failed", "tool_failed")
    assert "manuals is empty" in run["answer"]
    assert completion(locked, "first").status_code == 200
    assert json.dumps(run)
