"""What wakes a model that sleeps."""

from __future__ import annotations

import httpx
import pytest

from edge_agent.chat.messages import Text
from edge_agent.server.services import Services
from tests.server.conftest import Serving, eventually
from tests.server.device.fakes import FakeDevice
from tests.server.fakes import FakeAgent, FakeChat, Forever

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("path", ["/", "/health", "/models", "/v1/models", "/props", "/slots"])
def test_who_only_looks_wakes_nothing(serving: Serving, path: str) -> None:
    device = FakeDevice(is_sleeping=True)
    url = serving(Services(FakeChat(), FakeAgent(), device=device, shows_slots=True))
    assert httpx.get(url + path).status_code == 200
    assert device.is_sleeping and device.uses == 0


def test_metrics_wake_nothing(serving: Serving) -> None:
    device = FakeDevice(is_sleeping=True)
    url = serving(Services(FakeChat(), FakeAgent(), device=device, shows_metrics=True))
    assert httpx.get(f"{url}/metrics").status_code == 200
    assert device.is_sleeping


def test_a_request_wakes_it(serving: Serving) -> None:
    device = FakeDevice(is_sleeping=True)
    url = serving(Services(FakeChat(), FakeAgent(), device=device))
    assert httpx.get(f"{url}/props").json()["is_sleeping"]
    assert httpx.post(url + CHAT, json=BODY).status_code == 200
    assert not httpx.get(f"{url}/props").json()["is_sleeping"]


def test_who_has_no_key_wakes_nothing(serving: Serving) -> None:
    device = FakeDevice(is_sleeping=True)
    url = serving(Services(FakeChat(), FakeAgent(), device=device, api_keys=("one",)))
    assert httpx.post(url + CHAT, json=BODY).status_code == 401
    assert device.is_sleeping


def test_it_is_in_use_until_a_stream_has_ended(serving: Serving) -> None:
    device = FakeDevice()
    chat = FakeChat([Forever(Text("again "))])
    url = serving(Services(chat, FakeAgent(), device=device))
    with httpx.stream("POST", url + CHAT, json={**BODY, "stream": True}) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert device.users == 1
    assert eventually(lambda: device.users == 0)
