"""API keys over a real socket."""

from __future__ import annotations

import httpx
import openai
import pytest

from edge_agent.server.services import Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

BODY = {"messages": [{"role": "user", "content": "Hi"}]}


def locked(chat: FakeChat) -> Services:
    return Services(chat, FakeAgent(), api_keys=("one", "zwei-é"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer nope"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": "Basic one"}, 401),
        ({"authorization": "one"}, 401),
        ({"x-api-key": ""}, 401),
        ({"authorization": "Bearer one"}, 200),
        ({"authorization": "bearer one"}, 200),
        ({"x-api-key": "one"}, 200),
        ({"authorization": "Bearer zwei-é".encode()}, 200),
    ],
)
def test_only_a_key_opens_the_door(
    serving: Serving, headers: dict[str, str | bytes], status: int
) -> None:
    chat = FakeChat()
    url = serving(locked(chat))
    raw = [(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in headers.items()]
    answer = httpx.post(f"{url}/v1/chat/completions", json=BODY, headers=raw)
    assert answer.status_code == status
    assert len(chat.requests) == (status == 200)
    if status == 401:
        assert answer.json()["error"]["type"] == "authentication_error"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_official_client_gets_its_own_error(serving: Serving) -> None:
    url = serving(locked(FakeChat()))
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{url}/v1", api_key="nope", max_retries=0).chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Hi"}]
        )


def test_a_bad_body_without_a_key_is_not_even_read(serving: Serving) -> None:
    url = serving(locked(FakeChat()))
    assert httpx.post(f"{url}/v1/chat/completions", content=b"{").status_code == 401
    assert httpx.post(f"{url}/agent/run", json={"task": "x"}).status_code == 401
    assert httpx.get(f"{url}/v1/models/fake-1b").status_code == 401


@pytest.mark.parametrize("path", ["/", "/health", "/v1/health", "/models", "/v1/models"])
def test_what_probes_ask_is_open(serving: Serving, path: str) -> None:
    assert httpx.get(serving(locked(FakeChat())) + path).status_code == 200
