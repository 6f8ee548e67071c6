"""What is kept of a response: read again, gone on from, and forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Message,
    Prompt,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import GenerateParams
from edge_agent.errors import ContextOverflow, NotFound, StoreError
from edge_agent.server.responses.desk import Desk
from edge_agent.server.services import Services
from edge_agent.store.database import Database
from edge_agent.store.responses import (
    MIGRATIONS,
    ResponseRow,
    ResponseStore,
    open_responses,
)
from tests.server.conftest import Serving, eventually
from tests.server.fakes import USAGE, FakeAgent, FakeChat
from tests.server.responses.conftest import Client, client_of

CALL = ToolCall("call_1", "weather", "{}")
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": None}


class TokenChat(FakeChat):
    """A chat whose prompts are of one token a message, and which fits a few of them."""

    def __init__(self, items: Sequence[Any] | None = None, most: int = 100) -> None:
        super().__init__(items or (Text("Yes"), Done("stop", USAGE, ids=(70, 71))))
        self.prompts: list[tuple[int, ...]] = []
        self.tails: list[tuple[Message, ...]] = []
        self.most = most

    def prepare(self, request: ChatRequest) -> Prompt:
        self.requests.append(request)
        ids = (*(len(m.content) for m in request.messages), 900 + len(request.tools))
        return self._fitting(ids)

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        self.tails.append(messages)
        return self._fitting(
            (*prompt.ids, *completion.done.ids, *(len(m.content) for m in messages))
        )

    def _fitting(self, ids: tuple[int, ...]) -> Prompt:
        if len(ids) > self.most:
            raise ContextOverflow(len(ids), self.most)
        return Prompt(ids, GenerateParams())

    def stream(self, prompt: Prompt) -> Any:
        self.prompts.append(prompt.ids)
        return super().stream(prompt)


def test_a_stored_response_is_read_as_it_was_answered(client: Client) -> None:
    mine = client()
    created = mine.responses.create(model="x", input="Hi", metadata={"who": "me"})
    again = mine.responses.retrieve(created.id)
    assert again.to_dict() == created.to_dict()
    assert again.metadata == {"who": "me"}


def test_a_response_that_is_not_to_be_stored_is_not(client: Client, store: ResponseStore) -> None:
    mine = client()
    created = mine.responses.create(model="x", input="Hi", store=False)
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(created.id)
    with pytest.raises(NotFound):
        store.get(created.id)


def test_a_continuation_begins_with_the_tokens_that_were_generated(client: Client) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    assert chat.prompts == [(5, 900)]
    second = mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert chat.prompts[1] == (5, 900, 70, 71, 4)
    assert chat.tails == [(Message("user", "And?"),)]
    mine.responses.create(model="x", input="So", previous_response_id=second.id)
    assert chat.prompts[2] == (5, 900, 70, 71, 4, 70, 71, 2)


def test_the_output_of_a_call_goes_on_from_the_call(client: Client) -> None:
    chat = TokenChat([Thought("Hm"), CALL, Done("tool_calls", USAGE, ids=(80,))])
    mine = client(chat)
    first = mine.responses.create(model="x", input="Weather?", tools=[TOOL])  # type: ignore[list-item]
    chat.script.items = (Text("Rain"), Done("stop", USAGE, ids=(81,)))
    output: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "rain"}]
    mine.responses.create(
        model="x",
        input=output,
        tools=[TOOL],  # type: ignore[list-item]
        previous_response_id=first.id,
    )
    assert chat.prompts[1] == (8, 901, 80, 4)
    assert chat.tails == [(Message("tool", "rain", tool_call_id="call_1"),)]


@pytest.mark.parametrize(
    "change",
    [{"instructions": "Be brief"}, {"tools": [TOOL]}],
)
def test_another_head_is_rendered_from_the_items(client: Client, change: dict[str, Any]) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    mine.responses.create(model="x", input="And?", previous_response_id=first.id, **change)
    assert chat.tails == []
    wanted = (Message("user", "Hello"), Message("assistant", "Yes"), Message("user", "And?"))
    assert chat.requests[-1].messages[-3:] == wanted


def test_instructions_are_of_one_request_only(client: Client) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello", instructions="Be brief")
    mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    assert chat.requests[-1].messages[0] == Message("user", "Hello")
    mine.responses.create(
        model="x", input="And?", instructions="Be brief", previous_response_id=first.id
    )
    assert chat.prompts[2] == (8, 5, 900, 70, 71, 4)


def test_an_answer_cut_short_is_gone_on_from_by_its_items(client: Client) -> None:
    chat = TokenChat([Text("Yes"), Done("length", USAGE, ids=(70,))])
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    assert chat.prompts[1] == (5, 3, 4, 900)


def test_what_does_not_fit_is_refused_or_loses_its_oldest_turns(client: Client) -> None:
    chat = TokenChat(most=6)
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello", instructions="Be brief")
    create = mine.responses.create
    with pytest.raises(openai.BadRequestError, match="context window"):
        create(
            model="x",
            input=[{"role": "user", "content": "And?"}, {"role": "user", "content": "So?"}] * 2,
            instructions="Be brief",
            previous_response_id=first.id,
        )
    create(
        model="x",
        input=[{"role": "user", "content": "And?"}, {"role": "user", "content": "So?"}] * 2,
        instructions="Be brief",
        previous_response_id=first.id,
        truncation="auto",
    )
    assert chat.prompts[-1] == (8, 4, 3, 4, 3, 900)


class FullDisk(ResponseStore):
    """A store that takes so many rows and no more."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(Database(path, MIGRATIONS))
        self.room = room

    def put(self, row: ResponseRow) -> None:
        if not self.room:
            raise StoreError("The disk is full.")
        self.room -= 1
        super().put(row)


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_disk_loses_no_answer(client: Client, tmp_path: Path, stream: bool) -> None:
    store = FullDisk(tmp_path / "full.sqlite", 0)
    mine = client(responses=Desk(store))
    given: Any = mine.responses.create(model="x", input="Hi", stream=stream)
    answer = list(given)[-1].response if stream else given
    assert (answer.status, answer.output_text) == ("completed", "Hello there")
    assert answer.model_extra["store"] is False
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(answer.id)
    store.close()


def test_a_full_disk_loses_no_answer_of_the_background(client: Client, tmp_path: Path) -> None:
    store = FullDisk(tmp_path / "full.sqlite", 1)
    mine = client(responses=Desk(store))
    begun = mine.responses.create(model="x", input="Hi", background=True)
    assert eventually(lambda: mine.responses.retrieve(begun.id).status == "completed")
    assert mine.responses.retrieve(begun.id).output_text == "Hello there"
    with pytest.raises(openai.APIStatusError):
        mine.responses.create(model="x", input="Hi", background=True)  # it could not be kept
    store.close()


def test_a_response_outlives_the_server(serving: Serving, tmp_path: Path) -> None:
    path, chat = tmp_path / "r.sqlite", TokenChat()
    before = open_responses(path)
    mine = client_of(serving(Services(chat, FakeAgent(), responses=Desk(before))))
    first = mine.responses.create(model="x", input="Hello")
    before.close()
    after = open_responses(path)
    mine = client_of(serving(Services(chat, FakeAgent(), responses=Desk(after))))
    assert mine.responses.retrieve(first.id).output_text == "Yes"
    mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    assert chat.prompts[1] == (5, 900, 70, 71, 4)
    after.close()


def test_a_deleted_response_is_gone_and_what_followed_it_stays(client: Client) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    second = mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    mine.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        mine.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError):
        mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    with pytest.raises(openai.NotFoundError):
        mine.responses.delete(first.id)
    mine.responses.create(model="x", input="So", previous_response_id=second.id)
    assert chat.prompts[-1] == (5, 900, 70, 71, 4, 70, 71, 2)


def test_the_input_of_a_response_is_listed_in_pages(client: Client) -> None:
    mine = client()
    first = mine.responses.create(model="x", input="Hello")
    second = mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    listed = mine.responses.input_items.list(second.id, order="asc", limit=2)
    assert [item.type for item in listed.data] == ["message", "message"]
    assert listed.data[1].to_dict() == first.output[0].to_dict()
    assert listed.has_more
    texts = [item.content[0].text for item in mine.responses.input_items.list(second.id, limit=2)]  # type: ignore[union-attr]
    assert texts == ["And?", "Hello there", "Hello"]
    with pytest.raises(openai.BadRequestError):
        mine.responses.input_items.list(second.id, order="up")  # type: ignore[arg-type]
    with pytest.raises(openai.NotFoundError):
        mine.responses.input_items.list(second.id, after="msg_0")


def test_an_item_can_be_sent_as_a_reference(client: Client) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    hello: Any = {"role": "user", "content": "Hello"}
    mine.responses.create(model="x", input=[hello, reference, {**hello, "content": "And?"}])
    assert chat.requests[-1].messages[1] == Message("assistant", "Yes")


def test_half_a_surrogate_pair_is_kept(client: Client) -> None:
    mine = client(FakeChat([Text("\ud83d"), Done("stop", USAGE)]))
    created = mine.responses.create(model="x", input="Hi")
    assert mine.responses.retrieve(created.id).output_text == "?"


def test_ids_cannot_be_guessed_from_one_another(client: Client) -> None:
    mine = client()
    ids = {mine.responses.create(model="x", input="Hi").id for _ in range(3)}
    assert len(ids) == 3 and all(len(each) == len("resp_") + 48 for each in ids)


def test_known_tokens_of_another_model_are_not_used(client: Client, store: ResponseStore) -> None:
    chat = TokenChat()
    mine = client(chat)
    first = mine.responses.create(model="x", input="Hello")
    store.put(replace(store.get(first.id), head="of another vocabulary"))
    mine.responses.create(model="x", input="And?", previous_response_id=first.id)
    assert chat.tails == [] and chat.prompts[1] == (5, 3, 4, 900)
