"""Runs that outlive who began them: queued, cancelled, resumed, recovered."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.records import Limits, Run
from edge_agent.agent.runs.book import told_as_json
from edge_agent.agent.runs.service import AgentService
from edge_agent.errors import (
    Conflict,
    EngineCrashed,
    NotFound,
)
from tests.patience import until

from ..fakes import FakeChat, Says, search
from .endless import endless_service
from .house import PLAIN, QUESTION, SLOW, House, cut_off, ended, steps_of


async def test_a_run_in_the_background_is_there_at_once_and_ends_by_itself(house: House) -> None:
    service = house.service()
    begun = service.submit(QUESTION)
    assert (begun.status, begun.reason, begun.answer, begun.steps) == ("queued", None, "", ())
    run = await ended(service, begun.id)
    assert (run.status, run.reason, run.answer) == ("completed", "answered", "Ane Pollock")
    assert run == house.service().book.run(begun.id)  # as another process reads it


async def test_runs_wait_in_order_and_never_more_than_the_limit_are_worked_on(house: House) -> None:
    chat = FakeChat([SLOW])
    service = house.service(chat, at_once=2)
    ids = [service.submit(QUESTION).id for _ in range(4)]
    await until(lambda: steps_of(service, ids[1]) == 1)

    def statuses() -> list[str]:
        return [service.book.run(run_id).status for run_id in ids]

    assert statuses() == ["running", "running", "queued", "queued"]
    assert (await service.cancel(ids[2])).status == "cancelled"
    assert (await service.cancel(ids[0])).status == "cancelled"
    await until(lambda: statuses() == ["cancelled", "running", "cancelled", "running"])


async def test_the_partial_result_can_be_read_while_it_grows(tmp_path: Path) -> None:
    service = endless_service(tmp_path, pause_s=0.01)
    run_id = service.submit(QUESTION).id
    seen: list[Run] = []
    async for told in service.book.events(run_id):
        if told.kind == "step":
            seen.append(service.book.run(run_id))
    await service.close()
    assert [len(run.steps) for run in seen] == list(range(1, len(seen) + 1))
    assert {run.status for run in seen} == {"running"}
    calls = [run.usage.tool_calls for run in seen]
    assert calls == sorted(calls) and calls[-1] > 2


async def test_events_come_once_each_wherever_one_begins_to_listen(house: House) -> None:
    service = house.service()
    run_id = service.submit(QUESTION).id
    live = [told async for told in service.book.events(run_id) if told.seq is not None]
    numbers = [told.seq or 0 for told in live]
    assert numbers == sorted(set(numbers))
    assert live[-1].kind == "answer"
    for after in (0, numbers[0], numbers[4], numbers[-2], numbers[-1]):
        past = [told async for told in service.book.events(run_id, after)]
        wanted = [(each.seq, plain(each)) for each in live if (each.seq or 0) > after]
        assert [(told.seq, plain(told)) for told in past] == wanted
    assert service.book.is_told(run_id, numbers[-1])
    assert not service.book.is_told(run_id, numbers[-2])


def plain(told: Any) -> Any:
    """An event as it reads on the wire."""
    return json.loads(json.dumps(told_as_json(told)))


async def test_another_process_can_watch_a_run(house: House) -> None:
    worker, watcher = house.service(FakeChat([replace(search("Thrift"), wait_s=0.2)])), None
    run_id = worker.submit(QUESTION).id
    watcher = house.service()
    kinds = [told.kind async for told in watcher.book.events(run_id)]
    assert kinds[0] == "run_started" and kinds[-1] == "answer"
    with pytest.raises(Conflict, match="ended already"):
        await watcher.cancel(run_id)


async def test_a_run_of_a_living_process_is_left_alone(house: House) -> None:
    worker, other = house.service(FakeChat([SLOW])), house.service()
    run_id = worker.submit(QUESTION).id
    await until(lambda: steps_of(worker, run_id) == 1)
    assert other.recover() == []
    for refused in (other.resume, other.cancel):
        with pytest.raises(Conflict, match="Another process works on"):
            outcome = refused(run_id)
            if not isinstance(outcome, Run):
                await outcome
    assert worker.book.run(run_id).status == "running"


async def test_closing_leaves_background_runs_to_the_next_service(house: House) -> None:
    async with cut_off(house) as run_id:
        assert house.store.get(run_id).status == "running"
        first = house.service().book.run(run_id).steps
        read = list(house.world.read)
        service = house.service()
        assert service.recover() == [run_id]
        run = await ended(service, run_id)
    assert (run.status, run.answer) == ("completed", "Ane Pollock")
    assert run.steps[: len(first)] == first
    assert not set(read) & set(house.world.read[len(read) :])


async def test_closing_cancels_runs_that_somebody_waits_for(house: House) -> None:
    service = house.service(FakeChat([SLOW]))
    waiting = asyncio.ensure_future(service.run(QUESTION))
    await until(lambda: len(house.store.list()) == 1)
    await service.close()
    assert (await waiting).reason == "cancelled"
    assert house.store.list()[0].status == "cancelled"


async def test_a_run_whose_waiter_leaves_is_cancelled_and_can_be_resumed(house: House) -> None:
    chat = FakeChat([SLOW])
    service = house.service(chat)
    async with aclosing(service.stream(QUESTION)) as events:
        async for event in events:
            if event.__class__.__name__ == "NoteTaken":
                break
    (row,) = house.store.list()
    assert (row.status, row.reason) == ("cancelled", "cancelled")
    chat.script = [search("Thrift builder")]
    assert service.resume(row.id).status in ("queued", "running")
    assert (await ended(service, row.id)).status == "completed"


async def test_resuming_twice_at_once_works_on_it_once(house: House) -> None:
    async with cut_off(house) as run_id:
        one, two = house.service(), house.service()
        assert {one.resume(run_id).id, one.resume(run_id).id} == {run_id}
        with pytest.raises(Conflict):
            two.resume(run_id)
        await ended(one, run_id)
    kinds = [event.kind for event in house.store.get(run_id).events]
    assert kinds.count("resumed") == 1 and kinds.count("answer") == 1


async def test_two_services_that_start_at_once_share_what_was_left(house: House) -> None:
    async with cut_off(house) as run_id:
        one, two = house.service(), house.service()
        assert one.recover() + two.recover() == [run_id]


async def test_what_has_come_to_its_end_is_not_resumed_or_cancelled(house: House) -> None:
    service = house.service()
    run = await service.run(QUESTION)
    with pytest.raises(Conflict, match=r"has ended \(answered\): ask a follow-up"):
        service.resume(run.id)
    with pytest.raises(Conflict, match=r"ended already \(completed\)"):
        await service.cancel(run.id)


async def test_cancelling_twice_is_cancelling(house: House) -> None:
    service = house.service(FakeChat([SLOW]))
    run_id = service.submit(QUESTION).id
    both = await asyncio.gather(service.cancel(run_id), service.cancel(run_id))
    assert [run.status for run in both] == ["cancelled", "cancelled"]
    assert (await service.cancel(run_id)).status == "cancelled"
    kinds = [event.kind for event in house.store.get(run_id).events]
    assert kinds.count("answer") == 1


async def test_a_run_that_was_cut_off_can_be_cancelled(house: House) -> None:
    async with cut_off(house) as run_id:
        run = await house.service().cancel(run_id)
        assert (run.status, len(run.steps)) == ("cancelled", 1)


async def test_what_the_environment_failed_is_resumed_from_its_last_step(house: House) -> None:
    down = house.service(FakeChat([Says(error=EngineCrashed("The engine died."))]))
    run = await down.run(QUESTION)
    assert (run.status, run.reason, len(run.steps)) == ("failed", "env_error", 1)
    await down.close()
    service = house.service()
    service.resume(run.id)
    again = await ended(service, run.id)
    assert (again.status, again.reason) == ("completed", "answered")
    assert again.steps[0] == run.steps[0]
    # who watched from the beginning is not told the end that was none
    kinds = [told.kind async for told in service.book.events(run.id)]
    assert kinds.count("answer") == 1 and "resumed" in kinds


async def test_unknown_runs_are_not_found(house: House) -> None:
    service = house.service()
    for call in (service.resume, service.book.run, lambda id: service.follow_up(id, QUESTION)):
        with pytest.raises(NotFound, match="no run run_0"):
            call("run_0")
    with pytest.raises(NotFound, match="no run run_0"):
        await service.cancel("run_0")
    with pytest.raises(NotFound, match="no run run_0"):
        await anext(service.book.events("run_0"))


async def test_limits_count_over_a_cut(house: House) -> None:
    task = replace(QUESTION, limits=Limits(steps=3, tokens=1000, seconds=100))
    async with cut_off(house, task) as run_id:
        script = [search(f"market{i} fish{i}") for i in range(9)]
        service = house.service(FakeChat(script, ["not found"]))
        service.recover()
        run = await ended(service, run_id)
    assert (run.reason, len(run.steps)) == ("steps_limit", 3)
    assert run.usage.tool_calls >= 3


async def test_a_library_that_is_gone_ends_a_recovered_run_with_a_sentence(house: House) -> None:
    async with cut_off(house, replace(QUESTION, library="harbour")) as run_id:
        service = AgentService(FakeChat([SLOW]), PLAIN, _no_library, house.store, None)
        assert service.recover() == [run_id]
        run = await ended(service, run_id)
        assert (run.status, run.reason) == ("failed", "env_error")
        assert "no library" in run.answer and len(run.steps) == 1
        with pytest.raises(NotFound, match="no library"):
            service.resume(run_id)
        await service.close()


def _no_library(library: str | None) -> Any:
    raise NotFound(f"There is no library {library!r}.")
