"""What may come in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from edge_agent.server.services import Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

BODY = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
FORM = "application/x-www-form-urlencoded"
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"content-type": FORM}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": FORM, "origin": "http://elsewhere.example"}, 415),
        ({"content-type": "text/plain", "origin": "null"}, 415),
        ({"content-type": "application/json", "origin": "http://localhost:3000"}, 200),
    ],
)
def test_json_is_json_but_not_from_another_sites_form(
    serving: Serving, headers: dict[str, str], status: int
) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    answer = httpx.post(url + CHAT, content=BODY, headers=headers)
    assert answer.status_code == status


def test_a_body_over_the_limit_is_not_read(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent(), max_body_bytes=1000))
    large = BODY[:-1] + b" " * 1000 + b"}"

    def pieces() -> Iterator[bytes]:
        yield from (large[i : i + 100] for i in range(0, len(large), 100))

    for content in (large, pieces()):
        answer = httpx.post(url + CHAT, content=content)
        assert answer.status_code == 413
        assert "1,000 bytes" in answer.json()["error"]["message"]
    assert httpx.post(url + CHAT, content=BODY).status_code == 200
