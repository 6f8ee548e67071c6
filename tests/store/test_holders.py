"""Whose things are: files of before have them too, as made by no key."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.errors import NotFound
from edge_agent.store import journal, responses
from edge_agent.store.database import Database
from edge_agent.store.journal import open_journal
from edge_agent.store.responses import ResponseRow, Shelf, open_responses
from edge_agent.store.runs import RunStore

NOW = int(time.time())
MESSAGE = {"id": "msg_1", "type": "message"}


def test_runs_of_before_are_those_of_no_key(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    old = Database(path, journal.MIGRATIONS[:2])
    with old.transaction() as connection:
        connection.execute(
            "INSERT INTO runs (id, task, model, created_at, extra, status, owner) "
            "VALUES ('run_1', 'Who?', 'm', '2026-01-01', '{}', 'completed', 'gone')"
        )
    old.close()
    with closing(open_journal(path)) as database:
        store = RunStore(database)
        assert (store.get("run_1").holder, store.get("run_1").owner) == ("", "gone")
        assert [row.id for row in store.list()] == ["run_1"]
        assert store.list(holders=("x",)) == []
        store.check_held("run_1", ("x", ""))


def test_responses_of_before_are_those_of_no_key(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    old = Database(path, responses.MIGRATIONS[:1])
    with old.transaction() as connection:
        connection.execute(
            "INSERT INTO responses VALUES (1, 'resp_1', 9, 'completed', '', '{}', "
            """'{"output": []}', '[]', '', x'', x'', NULL)"""
        )
    old.close()
    with closing(open_responses(path)) as store:
        assert store.get("resp_1").holder == ""
        store.check_held("resp_1", ("",))


def test_a_shelf_has_what_is_its_holders(tmp_path: Path) -> None:
    with closing(open_responses(tmp_path / "r.sqlite")) as store:
        row = ResponseRow("resp_1", NOW, "completed", {}, {"output": [MESSAGE]}, (), holder="x")
        store.put(row)
        assert Shelf(store, ("x", "")).get("resp_1") == row
        assert Shelf(store, ("x",)).item("msg_1") == MESSAGE
        for ask in (Shelf(store, ("y", "")).get, Shelf(store, ("y", "")).item):
            with pytest.raises(NotFound):
                ask("resp_1" if ask.__name__ == "get" else "msg_1")


def test_a_run_is_kept_with_whose_it_is(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "j.sqlite")) as database:
        store = RunStore(database)
        for holder in ("x", "y", ""):
            store.create(f"run_{holder}", "t", "m", "2026-01-01", {}, holder=holder)
        assert [line.id for line in store.list(holders=("x", ""))] == ["run_", "run_x"]
        assert (store.get("run_x").holder, store.get("run_").holder) == ("x", "")
        with pytest.raises(NotFound):
            store.check_held("run_x", ("y",))
        with pytest.raises(NotFound):
            store.list(before="run_y", holders=("x",))
    with sqlite3.connect(tmp_path / "j.sqlite") as file:
        assert file.execute("SELECT COUNT(*) FROM runs WHERE holder = 'x'").fetchone() == (1,)
