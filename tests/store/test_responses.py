"""Responses on the disk: whole, found by their items, forgotten when told and when old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.errors import NotFound, StoreError
from edge_agent.store.database import Database
from edge_agent.store.responses import (
    KEPT_S,
    MIGRATIONS,
    ResponseRow,
    ResponseStore,
    open_responses,
)

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
ROW = ResponseRow(
    id="resp_1",
    created_at=int(time.time()),
    status="completed",
    body={"model": "x", "input": "Hé \ud83d"},
    response={"id": "resp_1", "status": "completed", "output": [MESSAGE]},
    context=({"id": "msg_0", "type": "message", "role": "user", "content": []},),
    owner="me",
    head="ab12",
    prompt_ids=(1, 2, 150_000),
    completion_ids=(7,),
    events=({"type": "response.created", "sequence_number": 0},),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    opened = open_responses(tmp_path / "deep" / "responses.sqlite")
    yield opened
    opened.close()


def test_a_row_comes_back_as_it_was_also_from_another_connection(store: ResponseStore) -> None:
    store.put(ROW)
    other = open_responses(store.path)
    assert store.get("resp_1") == other.get("resp_1") == ROW
    other.close()


def test_a_second_put_replaces_the_first(store: ResponseStore) -> None:
    store.put(replace(ROW, status="in_progress", events=None))
    store.put(ROW)
    assert store.get("resp_1") == ROW
    assert store.unfinished() == []


def test_an_item_is_found_by_its_id_as_long_as_its_response_is_there(store: ResponseStore) -> None:
    store.put(ROW)
    assert store.item("msg_1") == MESSAGE
    store.delete("resp_1")
    for gone in (lambda: store.item("msg_1"), lambda: store.get("resp_1")):
        with pytest.raises(NotFound):
            gone()


def test_deleting_what_is_not_there_says_so(store: ResponseStore) -> None:
    with pytest.raises(NotFound, match="resp_9"):
        store.delete("resp_9")


def test_an_id_of_half_a_surrogate_pair_is_no_response(store: ResponseStore) -> None:
    with pytest.raises(NotFound):
        store.get("\ud83d")


def kept(store: ResponseStore, *ids: str) -> list[str]:
    """Those of these ids that are there."""
    found = []
    for each in ids:
        with suppress(NotFound):
            found.append(store.get(each).id)
    return found


def test_old_responses_are_forgotten_and_unfinished_ones_are_not(store: ResponseStore) -> None:
    old = int(time.time()) - KEPT_S - 10
    store.put(replace(ROW, id="old", created_at=old))
    store.put(replace(ROW, id="waits", created_at=old, status="queued"))
    store.put(ROW)
    assert kept(store, "old", "waits", "resp_1") == ["waits", "resp_1"]


def test_the_oldest_of_too_many_are_forgotten(store: ResponseStore) -> None:
    few = ResponseStore(Database(store.path, MIGRATIONS), most=3)
    for number in range(5):
        few.put(replace(ROW, id=f"r{number}"))
    assert kept(few, *(f"r{n}" for n in range(5))) == ["r2", "r3", "r4"]


def test_of_many_heirs_one_adopts_an_unfinished_response(store: ResponseStore) -> None:
    store.put(replace(ROW, status="in_progress", owner="dead"))
    assert [store.adopt("resp_1", "dead", heir) for heir in ("a", "b")] == [True, False]
    (row,) = store.unfinished()
    assert row.owner == "a"


def test_what_is_not_json_is_refused(store: ResponseStore) -> None:
    with pytest.raises(StoreError, match="plain JSON"):
        store.put(replace(ROW, body={"x": object()}))
