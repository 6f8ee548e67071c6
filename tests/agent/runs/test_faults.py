"""Servers that die again and again, and disks that are full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from edge_agent.agent.runs.service import MOST_CUTS
from edge_agent.errors import (
    StoreError,
)
from edge_agent.store.runs import RunStore
from tests.patience import until

from ..fakes import FakeChat
from .house import QUESTION, SLOW, House, cut_off, ended


def deaths(house: House, n: int, kind: str) -> None:
    """A run whose server died `n` times while this was the last that it had written."""
    events: list[tuple[str, dict[str, Any]]] = [(kind, {"step": 1})]
    for _ in range(n - 1):
        events += [("resumed", {"automatic": True, "model": "m"}), (kind, {"step": 1})]
    house.store.create("cut", QUESTION.task, "m", "2026-01-01", {}, "dead", events)


async def test_a_run_that_kills_its_server_again_and_again_is_ended(house: House) -> None:
    deaths(house, MOST_CUTS + 1, "step_started")
    service = house.service()
    assert service.recover() == ["cut"]
    run = service.book.run("cut")
    assert (run.status, run.reason) == ("failed", "env_error")
    assert "cut off 8 times" in run.answer
    service.resume("cut")  # by hand it may try again
    assert (await ended(service, "cut")).status == "completed"


@pytest.mark.parametrize(
    ("n", "kind"), [(MOST_CUTS, "step_started"), (MOST_CUTS + 9, "from_the_queue")]
)
async def test_a_run_that_may_be_innocent_goes_on(house: House, n: int, kind: str) -> None:
    deaths(house, n, kind)
    service = house.service()
    assert service.recover() == ["cut"]
    assert (await ended(service, "cut")).status == "completed"


async def test_servers_that_are_stopped_in_order_count_for_nothing(house: House) -> None:
    async with cut_off(house) as run_id:
        for _ in range(MOST_CUTS + 2):
            service = house.service(FakeChat([SLOW]))
            assert service.recover() == [run_id]
            await until(lambda: house.store.get(run_id).events[-1].kind != "resumed")
            await service.close()
        service = house.service()
        service.recover()
        assert (await ended(service, run_id)).status == "completed"


class FullDisk(RunStore):
    """A journal that takes nothing more once `full`."""

    full = False

    def extend(self, run_id: str, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        self._refuse()
        return super().extend(run_id, events)

    def finish(
        self, run_id: str, status: str, reason: str | None, payload: Mapping[str, Any]
    ) -> int:
        self._refuse()
        return super().finish(run_id, status, reason, payload)

    def _refuse(self) -> None:
        if self.full:
            raise StoreError("database or disk is full")


async def test_a_run_that_only_waited_is_not_held_to_be_the_cause(house: House) -> None:
    first = house.service(FakeChat([SLOW]), at_once=1)
    ids = [first.submit(QUESTION).id for _ in range(2)]
    await first.close()
    for _ in range(MOST_CUTS + 2):
        service = house.service(FakeChat([SLOW]), at_once=1)
        assert service.recover() == ids
        await service.close()
    service = house.service()
    service.recover()
    assert [(await ended(service, run_id)).status for run_id in ids] == ["completed"] * 2


async def test_a_full_disk_swallows_neither_the_answer_nor_the_record(house: House) -> None:
    store = FullDisk(house.journal)
    service = house.service(store=store)
    run_id = service.submit(QUESTION).id
    store.full = True
    run = await ended(service, run_id)
    assert (run.status, run.answer) == ("completed", "Ane Pollock")
    assert service.book.run(run_id) == run
    assert [line.status for line in service.book.lines(5, None, None)] == ["completed"]
    seen = [told.kind async for told in service.book.events(run_id)]
    assert seen[-1] == "answer" and "step" in seen
    assert house.store.get(run_id).status == "running"
    store.full = False
    await service.run(QUESTION)  # with room again, the next end takes the one before along
    assert house.service().book.run(run_id) == run


async def test_too_full_a_disk_to_begin_is_said_at_once(house: House) -> None:
    service = house.service()
    house.journal.close()
    with pytest.raises(StoreError):
        service.submit(QUESTION)
