"""Runs that outlive who began them: queued, cancelled, resumed, followed, recovered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.records import Limits, Run, Task
from edge_agent.agent.runs.book import told_as_json
from edge_agent.agent.runs.service import MOST_CUTS, AgentService
from edge_agent.chat.messages import Chat, Prompt
from edge_agent.errors import (
    Conflict,
    EngineCrashed,
    GrammarError,
    NotFound,
    RequestError,
    StoreError,
)
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore

from ..fakes import HARBOUR, FakeChat, Says, World, search
from .endless import endless_service

# one search and no more before the model is asked
PLAIN = replace(PROFILES["plain"], reads=3, follows=0)
QUESTION = Task("Who built the smack that carried the bell?")
SLOW = replace(search("bell"), wait_s=60)


class House:
    """Services over one journal, as processes would be; all are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.journal = open_journal(folder / "journal.sqlite")
        self.store = RunStore(self.journal)
        self.world = World(HARBOUR)
        self._services: list[AgentService] = []

    def service(
        self, chat: Chat | None = None, store: RunStore | None = None, at_once: int = 2
    ) -> AgentService:
        def tools_for(library: str | None) -> Any:
            if library not in (None, "harbour"):
                raise NotFound(f"There is no library {library!r}.")
            return self.world.tools()

        chat = chat or FakeChat([search("Thrift builder")], ["Ane Pollock"])
        made = AgentService(chat, PLAIN, tools_for, store or self.store, None, runs_at_once=at_once)
        self._services.append(made)
        return made

    async def close(self) -> None:
        for service in self._services:
            await service.close()
        self.journal.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.close()


async def ended(service: AgentService, run_id: str) -> Run:
    """The run, when it has come to its end."""
    async for _ in service.book.events(run_id):
        pass
    return service.book.run(run_id)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


def steps_of(service: AgentService, run_id: str) -> int:
    return len(service.book.run(run_id).steps)


@asynccontextmanager
async def cut_off(house: House, task: Task = QUESTION) -> AsyncIterator[str]:
    """The id of a run that was left after its first step by a service that is closed now."""
    service = house.service(FakeChat([SLOW]))
    run_id = service.submit(task).id
    await until(lambda: steps_of(service, run_id) == 1)
    await service.close()
    yield run_id


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


async def test_a_follow_up_begins_with_what_was_found_and_answered(house: House) -> None:
    first = await house.service().run(replace(QUESTION, library="harbour"))
    chat = FakeChat([search("Mondays")], ["1871"])
    service = house.service(chat)
    run = await ended(service, service.follow_up(first.id, Task("And when?")).id)
    assert (run.follows, run.task, run.answer) == (first.id, "And when?", "1871")
    asked = next(text for text in chat.rendered if "And when?" in text)
    assert QUESTION.task in asked and "Ane Pollock" in asked
    facts = next(text for text in chat.rendered if "[1]" in text)
    assert all(citation.quote in facts for citation in first.citations)
    assert house.store.get(run.id).extra["task"]["library"] == "harbour"
    third = await ended(service, service.follow_up(run.id, Task("Who else?")).id)
    assert third.follows == run.id
    told = next(text for text in chat.rendered if "Who else?" in text)
    assert "Ane Pollock" in told and "1871" in told


async def test_a_follow_up_survives_as_other_runs_do(house: House) -> None:
    first = await house.service().run(QUESTION)
    left = house.service(FakeChat([SLOW]))
    run_id = left.follow_up(first.id, Task("And when?")).id
    await left.close()
    chat = FakeChat([search("Mondays")], ["1871"])
    service = house.service(chat)
    assert service.recover() == [run_id]
    assert (await ended(service, run_id)).answer == "1871"
    assert any("Ane Pollock" in text for text in chat.rendered)


async def test_a_run_that_goes_on_has_no_follow_up_yet(house: House) -> None:
    service = house.service(FakeChat([SLOW]))
    run_id = service.submit(QUESTION).id
    with pytest.raises(Conflict, match="wait for its answer"):
        service.follow_up(run_id, Task("And when?"))


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
    assert [row.status for row in service.book.rows(5, None, None)] == ["completed"]
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


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
}
SHAPED = replace(QUESTION, output_schema=SCHEMA)


class Shaping(FakeChat):
    """Writes `output` where a schema asks for a name, and refuses schemas of strange types."""

    output = '{"name": "Ane Pollock", "year": 1871}'
    length = False

    def prepare(self, request: Any) -> Prompt:
        if (request.response_schema or {}).get("type") == "oblong":
            raise GrammarError("The schema cannot be honoured: no type oblong.", "response_format")
        return super().prepare(request)

    def _next(self, request: Any) -> Says:
        if "name" in (request.response_schema or {}).get("properties", {}):
            return Says(self.output, length=self.length)
        return super()._next(request)


async def test_an_answer_takes_the_shape_that_was_asked_for(house: House) -> None:
    chat = Shaping([search("Thrift builder")], ["Ane Pollock"])
    run = await house.service(chat).run(SHAPED)
    assert run.output == {"name": "Ane Pollock", "year": 1871}
    assert (run.answer, run.reason) == ("Ane Pollock", "answered")
    text = next(t for t in chat.rendered if '"year"' in t and "Ane Pollock built" not in t)
    assert text and run == house.service().book.run(run.id)


async def test_a_shape_that_was_not_filled_is_no_output(house: House) -> None:
    chat = Shaping([search("Thrift builder")], ["Ane Pollock"])
    chat.output, chat.length = '{"name": "Ane', True
    run = await house.service(chat).run(SHAPED)
    assert (run.output, run.reason, run.answer) == (None, "format_error", "Ane Pollock")


async def test_nothing_found_fills_no_shape(house: House) -> None:
    chat = Shaping([search("fish")], ["not found"])
    run = await house.service(chat).run(replace(SHAPED, limits=Limits(steps=2)))
    assert (run.output, run.answer) == (None, "not found")


@pytest.mark.parametrize(
    "schema", [{"type": "oblong"}, {"type": "object", "description": "word " * 5000}]
)
async def test_a_shape_that_cannot_be_honoured_is_refused_before_anything(
    house: House, schema: dict[str, Any]
) -> None:
    service = house.service(Shaping([search("x")]))
    with pytest.raises(RequestError, match="output_schema") as refused:
        service.submit(replace(QUESTION, output_schema=schema))
    assert refused.value.param == "output_schema"
    assert house.store.list() == []
