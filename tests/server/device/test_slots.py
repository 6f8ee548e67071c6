"""What runs at the engine, as a list of slots."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from edge_agent.engine.counts import Running
from edge_agent.server.services import Services
from tests.server.conftest import Serving
from tests.server.device.fakes import FakeDevice
from tests.server.fakes import FakeAgent, FakeChat

BUSY = Running(7, 20, 20, 3, 5, False, False)
PREFILL = Running(8, 900, 64, 0, None, True, False)
WAITS = Running(9, 900, 0, 0, None, False, True)


def shown(serving: Serving, *runs: Running) -> str:
    services = Services(FakeChat(), FakeAgent(), device=FakeDevice(runs=runs), shows_slots=True)
    return serving(services) + "/slots"


def test_without_the_flag_there_are_none(serving: Serving) -> None:
    answer = httpx.get(f"{serving(Services(FakeChat(), FakeAgent()))}/slots")
    assert (answer.status_code, answer.json()["error"]["type"]) == (501, "not_supported_error")


def test_there_is_one_for_each_request_that_may_run(serving: Serving) -> None:
    free = httpx.get(shown(serving)).json()
    assert [slot["id"] for slot in free] == [0, 1]
    assert not any(slot["is_processing"] for slot in free)
    assert all(slot["n_ctx"] == FakeChat().n_ctx for slot in free)
    first, second = httpx.get(shown(serving, BUSY, PREFILL, WAITS)).json()
    assert (first["id_task"], first["next_token"][0]["n_decoded"]) == (7, 3)
    assert first["next_token"][0]["n_remain"] == 5
    assert (second["n_prompt_tokens"], second["n_prompt_tokens_processed"]) == (900, 64)
    assert (second["background"], second["next_token"][0]["n_remain"]) == (True, -1)


@pytest.mark.parametrize(
    ("runs", "status"), [((), 200), ((BUSY,), 200), ((BUSY, WAITS), 200), ((BUSY, PREFILL), 503)]
)
def test_who_asks_for_a_free_slot_is_told_when_there_is_none(
    serving: Serving, runs: tuple[Running, ...], status: int
) -> None:
    answer = httpx.get(f"{shown(serving, *runs)}?fail_on_no_slot=1")
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize("action", ["save", "restore", "erase"])
def test_a_slot_is_not_saved_to_a_file(serving: Serving, action: str) -> None:
    body: dict[str, Any] = {"filename": "slot.bin"}
    answer = httpx.post(f"{shown(serving)}/0?action={action}", json=body)
    assert answer.status_code == 501 and "pin_prompt" in answer.json()["error"]["message"]
