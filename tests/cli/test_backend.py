"""The whole house on a server elsewhere, which here is our own with a real model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.catalog.catalog import Catalog
from edge_agent.cli.backend import card_for, family_of
from tests.patience import HANG_S

from .shell import ROOT, Server, Shell, eventually

REAL = ("--model", "qwen2.5-coder-0.5b-instruct", "--ctx-size", "4096")
ASKED: list[Any] = [{"role": "user", "content": "Find pages about harbour towns."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Find pages.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": 20}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}
TOWNS = {
    "type": "object",
    "properties": {"towns": {"type": "array", "items": {"type": "string"}, "maxItems": 2}},
    "required": ["towns"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, qwen_path: Path) -> Iterator[Server]:
    with Shell(tmp_path_factory.mktemp("real")).serving(*REAL) as running:
        yield running


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, real: Server) -> Iterator[Server]:
    shell = Shell(tmp_path_factory.mktemp("front"))
    with shell.serving("--backend", f"{real.url}/v1", "--alias", "far") as running:
        yield running


def asked(server: Server, **body: Any) -> dict[str, Any]:
    body = {"messages": ASKED, "max_tokens": 24, "temperature": 0, **body}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stop": ["."], "max_tokens": 60},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": TOWNS}}},
        {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "search"}}},
    ],
)
def test_the_same_request_has_the_same_answer_near_and_far(
    real: Server, front: Server, body: dict[str, Any]
) -> None:
    (near,), (far,) = asked(real, **body)["choices"], asked(front, **body)["choices"]
    for choice in (near, far):
        for call in choice["message"].get("tool_calls", ()):
            call.pop("id")
    assert far == near
    assert near["message"]["content"] or near["message"]["tool_calls"]


def test_the_far_servers_counts_are_told(front: Server) -> None:
    asked(front)
    usage = asked(front)["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= usage["prompt_tokens"] - 2
    model, agent = httpx.get(f"{front.url}/v1/models").json()["data"]
    assert (model["id"], model["meta"]["n_ctx"]) == ("far", 4096)
    assert agent["capabilities"] == ["research"]
    by_name = httpx.get(f"{front.url}/v1/models/qwen2.5-coder-0.5b-instruct").json()
    assert by_name["id"] == "far"


def test_a_refusal_keeps_its_status_and_its_numbers(front: Server) -> None:
    long = {"messages": [{"role": "user", "content": "word " * 6000}], "max_tokens": 4}
    for more in ({}, {"stream": True}):
        url = f"{front.url}/v1/chat/completions"
        answer = httpx.post(url, json={**long, **more}, timeout=60)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"]) == (400, "exceed_context_size_error")
        assert (error["n_prompt_tokens"] > 6000, error["n_ctx"]) == (True, 4096)


def test_a_whole_run_on_a_backend(shell: Shell, real: Server) -> None:
    question = "How many head of cattle could the motor ferry Corrinwen carry?"
    limits = ("--steps", "3", "--seconds", "400", "--json")
    done = shell.run(
        "run", question, "--library", ROOT / "examples" / "site", "--backend", real.url, *limits
    )
    run = json.loads(done.stdout)
    assert (done.returncode, run["status"]) == (0, "completed"), done.stderr
    assert run["citations"] or run["answer"] == "not found"
    assert run["usage"]["prompt_tokens"] > 0
    # with the steps after the first: a server that shares prefixes still shares them
    assert "Traceback" not in done.stderr and real.url in done.stderr


def test_a_backend_that_goes_is_seen_and_one_that_comes_back_is_used(
    shell: Shell, smollm2_path: Path, tmp_path: Path
) -> None:
    small = ("--model", "smollm2-135m-instruct", "--ctx-size", "1024")
    (tmp_path / "far").mkdir()
    with Shell(tmp_path / "far").serving(*small) as far:
        port = far.url.rpartition(":")[2]
        with shell.serving("--backend", far.url) as front:
            assert asked(front, max_tokens=2)["choices"]
            far.stop()
            url = f"{front.url}/v1/chat/completions"
            answer = httpx.post(url, json={"messages": ASKED}, timeout=60)
            assert answer.status_code == 503
            assert "cannot be reached" in answer.json()["error"]["message"]
            assert eventually(lambda: health(front)["status"] == "failed", HANG_S)
            with Shell(tmp_path / "far").serving(*small, "--port", port):
                assert eventually(lambda: health(front)["status"] == "ok", HANG_S)
                assert asked(front, max_tokens=2)["choices"]
            assert health(front)["restarts"] == 1


def health(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/health").json()
    return found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--backend", "localhost"), "--backend takes a URL"),
        (("--backend", "http://127.0.0.1:9"), "cannot be reached"),
        (("--backend", "http://h", "--backend-key-env", "NO_SUCH_KEY"), "has no NO_SUCH_KEY"),
        (("--backend", "http://h", "--profile", "poet"), "There is no profile 'poet'"),
    ],
)
def test_a_backend_that_cannot_be_used_is_one_sentence(
    shell: Shell, embedder_dir: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.refused("run", "Who?", *arguments)


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("openbmb/AgentCPM-Explore", "agentcpm"),
        ("Qwen/Qwen3-8B", "qwen"),
        ("Qwen/Qwen2.5-1.5B-Instruct", "plain"),
        ("qwen3-0.6b", "plain"),
        ("Dr.Venus", "dr-venus"),
        ("meta-llama/Llama-3.1-8B-Instruct", "plain"),
    ],
)
def test_a_profile_is_guessed_from_a_name(model: str, profile: str) -> None:
    assert family_of(model) == profile


def test_a_card_whose_name_is_in_the_models_name_goes_before(tmp_path: Path) -> None:
    catalog = Catalog.load(tmp_path)
    card = card_for("/models/Qwen2.5-Coder-0.5B-Instruct-Q4_K_M.gguf", catalog)
    assert card and card.name == "qwen2.5-coder-0.5b-instruct"
    assert card_for("gpt-4o", catalog) is None
