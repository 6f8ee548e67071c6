"""What wakes a model that sleeps."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.chat.messages import Text
from edge_agent.server.responses.desk import Desk
from edge_agent.server.responses.responses import recover
from edge_agent.server.services import Services
from edge_agent.store.responses import ResponseRow, open_responses
from tests.patience import until
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


def written(tmp_path: Path, device: FakeDevice) -> Services:
    """Services that write one response at a time, for ever."""
    desk = Desk(open_responses(tmp_path / "r.sqlite"), Supervisor(1, device.use))
    chat = FakeChat([Forever(Text("again "))])
    return Services(chat, FakeAgent(), device=device, responses=desk)


def test_what_goes_on_in_the_background_keeps_it_awake_while_it_waits_too(
    serving: Serving, tmp_path: Path
) -> None:
    device = FakeDevice()
    url = serving(written(tmp_path, device))
    body = {"input": "Hi", "background": True}
    begun = [httpx.post(f"{url}/v1/responses", json=body).json()["id"] for _ in range(2)]
    assert eventually(lambda: device.users == 2)
    states = [httpx.get(f"{url}/v1/responses/{id}").json()["status"] for id in begun]
    assert states[1] == "queued"
    for left, id in ((1, begun[1]), (0, begun[0])):
        httpx.post(f"{url}/v1/responses/{id}/cancel")
        assert eventually(lambda n=left: device.users == n)  # type: ignore[misc]


async def test_what_was_cut_off_wakes_it_when_the_server_starts(tmp_path: Path) -> None:
    body = {"input": "Hi", "background": True}
    base = {"id": "resp_1", "status": "queued", "output": [], "background": True}
    with closing(open_responses(tmp_path / "r.sqlite")) as store:
        store.put(ResponseRow("resp_1", int(time.time()), "queued", body, base, ()))
        device = FakeDevice(is_sleeping=True)
        desk = Desk(store, Supervisor(1, device.use))
        services = Services(FakeChat(), FakeAgent(), device=device, responses=desk)
        assert recover(services) == 1 and not device.is_sleeping
        await until(lambda: device.users == 0)
        assert store.get("resp_1").status == "completed"
        await desk.close()
