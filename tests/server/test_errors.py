"""Every refusal has one shape."""

from __future__ import annotations

import httpx
import pytest

from edge_agent.errors import (
    BadModelFile,
    ConfigError,
    EngineBusy,
    EngineError,
    FetchError,
    ModelLoadError,
    NotFound,
    RequestError,
    SearchError,
    StoreError,
)
from edge_agent.server.errors import TABLE, error_body, error_response
from edge_agent.server.services import Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

CHAT = "/v1/chat/completions"


def is_shaped(answer: httpx.Response) -> bool:
    error = answer.json()["error"]
    return bool(error["code"] == answer.status_code and error["message"] and error["type"])


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "said"),
    [
        ("GET", "/v1/nothing", None, 404, "There is no route GET /v1/nothing"),
        ("GET", CHAT, None, 405, "this route takes POST"),
        ("DELETE", "/health", None, 405, "this route takes GET"),
        ("POST", CHAT, b"", 400, "must be a JSON object"),
        ("POST", CHAT, b"{", 400, "The body is not valid JSON"),
        ("POST", CHAT, b"[1]", 400, "must be a JSON object"),
        ("POST", CHAT, b"null", 400, "must be a JSON object"),
        ("POST", CHAT, b'"x"', 400, "must be a JSON object"),
        ("POST", CHAT, b"\xff\xfe{}", 400, "JSON"),
        ("POST", CHAT, b'{"a": "\xff"}', 400, "JSON"),
        ("POST", CHAT, b"[" * 100_000, 400, "JSON"),
        ("POST", CHAT, b"{}", 400, "messages: this field is required."),
        ("POST", "/agent/run", b"{nope}", 400, "The body is not valid JSON"),
    ],
)
def test_a_bad_request_gets_a_sentence(
    serving: Serving, method: str, path: str, content: bytes | None, status: int, said: str
) -> None:
    answer = httpx.request(
        method, serving(Services(FakeChat(), FakeAgent())) + path, content=content
    )
    assert answer.status_code == status and is_shaped(answer)
    assert said in answer.json()["error"]["message"]


def test_the_server_lives_on_after_bad_requests(serving: Serving) -> None:
    url = serving(Services(FakeChat([RuntimeError("boom")]), FakeAgent()))
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(3):
        assert httpx.post(url + CHAT, json=body).status_code == 500
        assert httpx.post(url + CHAT, content=b"{").status_code == 400
    assert httpx.get(f"{url}/health").status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("x"), 400),
        (NotFound("x"), 404),
        (ModelLoadError("x"), 503),
        (EngineError("x"), 500),
        (SearchError("x"), 502),
        (StoreError("x"), 500),
        (BadModelFile("x"), 500),
        (ConfigError("x"), 500),
        (ValueError("x"), 500),
    ],
)
def test_an_error_has_its_status(error: Exception, status: int) -> None:
    assert error_response(error).status_code == status


def test_no_row_of_the_table_hides_a_later_one() -> None:
    for index, (cls, _, _) in enumerate(TABLE):
        assert not any(issubclass(cls, earlier) for earlier, _, _ in TABLE[:index]), cls


def test_our_sentences_are_shown_and_others_are_not() -> None:
    ours = FetchError("The page is gone.", "http://x", "status")
    assert error_body(ours)["error"]["message"] == "The page is gone."
    assert "key" not in error_body(KeyError("key"))["error"]["message"]


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (3.1, "4")])
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    assert error_response(EngineBusy("full", seconds)).headers["retry-after"] == header
