"""What nobody expected costs one request and not the connection."""

from __future__ import annotations

import logging

import httpx
import pytest

from edge_agent.server.errors import UNEXPECTED
from edge_agent.server.services import Door, Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

BODY = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_the_connection_lives_on(serving: Serving, path: str) -> None:
    url = serving(Services(FakeChat([RuntimeError("boom")]), FakeAgent()))
    with httpx.Client(limits=httpx.Limits(max_connections=1)) as client:
        ports = set()
        for _ in range(20):
            answer = client.post(url + path, json=BODY)
            assert answer.status_code == 500 and UNEXPECTED in answer.text
            stream = answer.extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr")[1])
    assert len(ports) == 1


def test_it_is_logged_and_a_page_may_read_it(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    chat = FakeChat([RuntimeError("boom")])
    url = serving(Services(chat, FakeAgent(), door=Door(origins=("*",))))
    with caplog.at_level(logging.ERROR):
        answer = httpx.post(
            f"{url}/v1/chat/completions", json=BODY, headers={"Origin": "http://page.example"}
        )
    assert answer.headers["access-control-allow-origin"] == "http://page.example"
    assert "POST /v1/chat/completions broke" in caplog.text and "boom" in caplog.text
