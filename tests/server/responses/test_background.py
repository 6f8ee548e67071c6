"""Responses nobody waits for: polled, streamed again, cancelled, taken up after a crash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import openai
import pytest

from edge_agent.chat.messages import Done, Event, Prompt, Text
from edge_agent.errors import EngineCrashed
from edge_agent.server.responses.desk import AT_ONCE, Desk
from edge_agent.server.responses.responses import recover
from edge_agent.server.services import Services
from edge_agent.store.responses import ResponseStore
from tests.patience import HANG_S
from tests.server.conftest import eventually
from tests.server.fakes import USAGE, FakeAgent, FakeChat, Forever, Pause
from tests.server.responses.conftest import Client, served

SLOW = (Text("Hel"), Pause(0.3), Text("lo"), Done("stop", USAGE))


class GatedChat(FakeChat):
    """Says half a word, and the rest when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = False

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        yield Text("Hel")
        while not self.may_go_on:
            await asyncio.sleep(0.01)
        yield Text("lo")
        yield Done("stop", USAGE)


def settled(mine: openai.OpenAI, response_id: str) -> openai.types.responses.Response:
    end = time.monotonic() + HANG_S
    while True:
        response = mine.responses.retrieve(response_id)
        if response.status not in ("queued", "in_progress") or time.monotonic() > end:
            return response
        time.sleep(0.02)


def test_a_response_in_the_background_is_polled_to_its_end(client: Client) -> None:
    chat = GatedChat()
    mine = client(chat)
    begun = mine.responses.create(model="x", input="Hi", background=True)
    assert (begun.status, begun.output, begun.background) == ("queued", [], True)
    assert eventually(lambda: mine.responses.retrieve(begun.id).status == "in_progress")
    assert eventually(lambda: mine.responses.retrieve(begun.id).output_text == "Hel")
    chat.may_go_on = True
    done = settled(mine, begun.id)
    assert (done.status, done.output_text) == ("completed", "Hello")
    assert done.usage and done.usage.output_tokens == 4
    assert chat.requests[-1].priority == 1  # those that somebody waits for go first


def test_it_can_be_gone_on_from_once_it_is_complete(client: Client) -> None:
    chat = GatedChat()
    mine = client(chat)
    begun = mine.responses.create(model="x", input="Hi", background=True)
    with pytest.raises(openai.BadRequestError, match="nothing to go on"):
        mine.responses.create(model="x", input="And?", previous_response_id=begun.id)
    chat.may_go_on = True
    settled(mine, begun.id)
    mine.responses.create(model="x", input="And?", previous_response_id=begun.id)


def test_what_is_wrong_is_told_before_it_begins(client: Client, store: ResponseStore) -> None:
    with pytest.raises(openai.BadRequestError):
        client().responses.create(model="x", input="Hi", background=True, tool_choice="required")
    assert store.unfinished() == []


def test_an_engine_that_dies_fails_it(client: Client) -> None:
    mine = client(FakeChat([Text("Hel"), EngineCrashed("The engine died.")]))
    begun = mine.responses.create(model="x", input="Hi", background=True)
    failed = settled(mine, begun.id)
    assert failed.status == "failed" and failed.error
    assert failed.error.message == "The engine died."


def test_a_defect_fails_it_and_tells_nothing(client: Client) -> None:
    mine = client(FakeChat([ValueError("a secret")]))
    begun = mine.responses.create(model="x", input="Hi", background=True)
    failed = settled(mine, begun.id)
    assert failed.error and "secret" not in failed.error.message


def test_cancelling_stops_the_generation_and_keeps_what_was_written(client: Client) -> None:
    chat = FakeChat([Text("Hel"), Forever(Text("lo"))])
    mine = client(chat)
    begun = mine.responses.create(model="x", input="Hi", background=True)
    assert eventually(lambda: "Hello" in mine.responses.retrieve(begun.id).output_text)
    cancelled = mine.responses.cancel(begun.id)
    assert (cancelled.status, chat.script.closed) == ("cancelled", 1)
    assert cancelled.output_text.startswith("Hello")
    assert mine.responses.retrieve(begun.id).status == "cancelled"
    assert mine.responses.cancel(begun.id).status == "cancelled"  # again is the same


def test_cancelling_what_has_ended_changes_nothing(client: Client) -> None:
    mine = client()
    begun = mine.responses.create(model="x", input="Hi", background=True)
    assert settled(mine, begun.id).status == "completed"
    assert mine.responses.cancel(begun.id).status == "completed"


def test_what_somebody_waited_for_cannot_be_cancelled(client: Client) -> None:
    mine = client()
    created = mine.responses.create(model="x", input="Hi")
    with pytest.raises(openai.BadRequestError, match="background"):
        mine.responses.cancel(created.id)
    with pytest.raises(openai.NotFoundError):
        mine.responses.cancel("resp_0")


def test_deleting_ends_what_is_under_way(client: Client) -> None:
    chat = FakeChat([Forever(Text("lo"))])
    mine = client(chat)
    begun = mine.responses.create(model="x", input="Hi", background=True)
    assert eventually(lambda: chat.script.open == 1)
    mine.responses.delete(begun.id)
    assert chat.script.closed == 1
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(begun.id)


def test_no_more_than_a_few_run_at_once_and_all_come_to_an_end(client: Client) -> None:
    chat = FakeChat([Text("Hi"), Pause(0.1), Done("stop", USAGE)])
    mine = client(chat)
    begun = [mine.responses.create(model="x", input="Hi", background=True) for _ in range(9)]
    assert chat.script.open <= AT_ONCE
    assert {settled(mine, each.id).status for each in begun} == {"completed"}


def test_a_stream_of_the_background_tells_that_it_waits_first(client: Client) -> None:
    mine = client(FakeChat(SLOW))
    events = list(mine.responses.create(model="x", input="Hi", background=True, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_a_stream_that_was_left_is_taken_up_again_where_it_was(client: Client) -> None:
    chat = GatedChat()
    mine = client(chat)
    stream = mine.responses.create(model="x", input="Hi", background=True, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    assert seen[0].type == "response.created"
    id, last = seen[0].response.id, seen[-1].sequence_number
    chat.may_go_on = True
    rest = list(mine.responses.retrieve(id, stream=True, starting_after=last))
    numbers = [event.sequence_number for event in [*seen, *rest]]
    assert numbers == list(range(len(numbers)))
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.output_text == "Hello"
    # and once more from the file, when it is over
    assert settled(mine, id).status == "completed"
    again = list(mine.responses.retrieve(id, stream=True))
    assert [e.to_dict() for e in again] == [e.to_dict() for e in [*seen, *rest]]


def test_only_what_was_created_as_a_stream_can_be_streamed(client: Client) -> None:
    mine = client()
    created = mine.responses.create(model="x", input="Hi")
    with pytest.raises(openai.BadRequestError, match="stream: true"):
        mine.responses.retrieve(created.id, stream=True)


async def test_responses_that_were_cut_off_are_written_anew(store: ResponseStore) -> None:
    dying, stuck = Desk(store), FakeChat([Forever(Text("lo"))])
    async with served(Services(stuck, FakeAgent(), responses=dying)) as mine:
        cut = await mine.responses.create(model="x", input="Hi", background=True)
        wrong = await mine.responses.create(model="x", input="Hi", background=True)
    await dying.close()
    assert [row.id for row in store.unfinished()] == [cut.id, wrong.id]
    row = store.get(wrong.id)
    store.put(replace(row, body={**row.body, "tool_choice": "required"}))
    desk = Desk(store)
    chat = GatedChat()
    services = Services(chat, FakeAgent(), responses=desk)
    async with served(services) as mine:
        assert recover(services) == 2
        assert (await mine.responses.retrieve(cut.id)).status in ("queued", "in_progress")
        failed = await mine.responses.retrieve(wrong.id)
        assert failed.status == "failed" and failed.error and "tools" in failed.error.message
        chat.may_go_on = True
        while (done := await mine.responses.retrieve(cut.id)).status != "completed":
            await asyncio.sleep(0.02)
    await desk.close()
    assert (done.id, done.status, done.output_text) == (cut.id, "completed", "Hello")
    assert done.created_at == cut.created_at


def test_another_living_process_keeps_its_own(client: Client, store: ResponseStore) -> None:
    mine = client(FakeChat([Forever(Text("lo"))]))
    begun = mine.responses.create(model="x", input="Hi", background=True)
    other = Desk(store)
    assert other.cut_off() == []
    mine.responses.cancel(begun.id)
