"""The journal of runs: append-only, numbered, readable at any moment."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import NotFound, StoreError
from edge_agent.store.database import Database
from edge_agent.store.journal import MIGRATIONS, open_journal
from edge_agent.store.runs import EventRow, RunLine, RunStore

NOW = "2024-05-01T10:00:00+00:00"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def runs(path: Path) -> RunStore:
    store = RunStore(open_journal(path))
    store.create("r1", "Who kept the light?", "small", NOW, {"library": "x"})
    return store


def test_a_run_comes_back_with_its_events_in_order(runs: RunStore) -> None:
    assert [runs.append("r1", "step", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert runs.finish("r1", "completed", "answered", {"answer": "Ilse"}) == 4
    run = runs.get("r1")
    assert (run.task, run.model, run.extra) == ("Who kept the light?", "small", {"library": "x"})
    assert (run.status, run.reason, run.result) == ("completed", "answered", {"answer": "Ilse"})
    steps = tuple(EventRow(n + 1, "step", {"n": n}) for n in range(3))
    ended = EventRow(4, "answer", {"status": "completed", "reason": "answered"})
    assert run.events == (*steps, ended)
    assert runs.get("r1", after=2).events == (steps[2], ended)


def test_an_unfinished_run_is_readable_by_another_connection(runs: RunStore, path: Path) -> None:
    runs.append("r1", "note", {"text": "é"})
    seen = RunStore(open_journal(path)).get("r1")
    assert (seen.status, seen.reason, seen.result) == ("queued", None, None)
    runs.start("r1")
    assert RunStore(open_journal(path)).get("r1").status == "running"
    assert seen.events[0].payload == {"text": "é"}


def test_a_finished_run_takes_no_more(runs: RunStore) -> None:
    runs.finish("r1", "cancelled", "cancelled", {})
    with pytest.raises(StoreError, match="already ended"):
        runs.append("r1", "step", {})
    with pytest.raises(StoreError, match="already ended"):
        runs.finish("r1", "completed", "answered", {})
    assert runs.get("r1").status == "cancelled"


def test_unknown_runs_are_not_found(runs: RunStore) -> None:
    for call in (
        lambda: runs.get("nope"),
        lambda: runs.append("nope", "step", {}),
        lambda: runs.finish("nope", "failed", None, {}),
    ):
        with pytest.raises(NotFound, match="no run nope"):
            call()


def test_an_id_is_used_once(runs: RunStore) -> None:
    with pytest.raises(StoreError, match="use another id"):
        runs.create("r1", "again", "small", NOW, {})
    assert runs.get("r1").task == "Who kept the light?"


def test_what_is_not_json_is_refused_before_anything_is_written(runs: RunStore) -> None:
    with pytest.raises(StoreError, match="plain JSON"):
        runs.append("r1", "step", {"path": Path("x")})
    assert runs.get("r1").events == ()


def test_the_list_is_newest_first_and_pages_through_everything(runs: RunStore) -> None:
    for n in range(2, 8):
        runs.create(f"r{n}", "t", "small", NOW, {})
    seen: list[str] = []
    while page := runs.list(3, before=seen[-1] if seen else None):
        seen += [run.id for run in page]
    assert seen == [f"r{n}" for n in range(7, 0, -1)]
    assert runs.list(0) == []
    runs.finish("r3", "cancelled", "cancelled", {})
    assert [run.id for run in runs.list(status="cancelled")] == ["r3"]
    assert [run.id for run in runs.list(2, before="r5", status="queued")] == ["r4", "r2"]
    with pytest.raises(NotFound, match="no run nope"):
        runs.list(before="nope")


def test_a_list_shows_the_answer_and_reads_no_result(runs: RunStore, path: Path) -> None:
    result = {"answer": "Ilse \ud83d", "steps": ["long"] * 1000}
    runs.finish("r1", "completed", "answered", result)
    line = RunLine("r1", "completed", "answered", "Who kept the light?", "Ilse ?", "small", NOW)
    assert runs.list() == [line]
    assert runs.get("r1").result == result
    with closing(Database(path, MIGRATIONS)) as file, file.transaction() as connection:
        connection.execute("UPDATE results SET result = 'torn'")
    assert runs.list() == [line]  # else this would be no JSON
    with pytest.raises(ValueError, match="Expecting value"):
        runs.get("r1")


def test_a_run_that_is_opened_again_has_no_answer_and_no_result(runs: RunStore) -> None:
    runs.finish("r1", "cancelled", "cancelled", {"answer": "not yet"})
    assert runs.reopen("r1", "me")
    assert (runs.list()[0].answer, runs.get("r1").result) == ("", None)
    runs.finish("r1", "completed", "answered", {"answer": "Ilse"})
    assert runs.list()[0].answer == "Ilse"


def test_results_of_an_older_journal_are_listed_and_read(tmp_path: Path) -> None:
    old = Database(tmp_path / "old.db", MIGRATIONS[:3])
    results = {
        "good": '{"answer": "Ilse é", "n": 1}',
        "half": '{"answer": "\\ud83d"}',
        "none": None,
    }
    with old.transaction() as connection:
        connection.executemany(
            "INSERT INTO runs (id, task, model, created_at, extra, status, result) "
            f"VALUES (?, 't', 'm', '{NOW}', '{{}}', 'completed', ?)",
            results.items(),
        )
    old.close()
    runs = RunStore(open_journal(tmp_path / "old.db"))
    shown = {line.id: line.answer for line in runs.list()}
    assert (shown["good"], shown["none"]) == ("Ilse é", "")
    assert set(shown["half"]) == {"\ufffd"}
    assert runs.get("good").result == {"answer": "Ilse é", "n": 1}
    assert runs.get("half").result == {"answer": "\ud83d"}
    assert runs.get("none").result is None


def test_events_are_added_all_or_none(runs: RunStore) -> None:
    assert runs.extend("r1", [("a", {}), ("b", {"n": 1})]) == 2
    with pytest.raises(StoreError, match="plain JSON"):
        runs.extend("r1", [("c", {}), ("d", {"path": Path("x")})])
    assert [event.kind for event in runs.get("r1").events] == ["a", "b"]
    runs.create("r2", "t", "m", NOW, {}, "me", [("given", {}), ("run_started", {})])
    assert [(event.seq, event.kind) for event in runs.get("r2").events] == [
        (1, "given"),
        (2, "run_started"),
    ]


def test_of_many_heirs_one_gets_the_run(runs: RunStore) -> None:
    runs.create("r2", "t", "m", NOW, {}, "dead")
    runs.start("r2")
    assert [runs.adopt("r2", "dead", heir) for heir in ("a", "b", "c")] == [True, False, False]
    assert (runs.get("r2").owner, runs.get("r2").status) == ("a", "queued")
    assert [run.id for run in runs.unfinished()] == ["r1", "r2"]
    runs.finish("r2", "completed", "answered", {})
    assert not runs.adopt("r2", "a", "b")


def test_only_what_was_cancelled_or_failed_is_opened_again_and_once(runs: RunStore) -> None:
    assert not runs.reopen("r1", "me")
    runs.finish("r1", "failed", "env_error", {"answer": "No answer"})
    assert [runs.reopen("r1", "me"), runs.reopen("r1", "me")] == [True, False]
    again = runs.get("r1")
    assert (again.status, again.reason, again.result) == ("queued", None, None)
    assert runs.append("r1", "resumed", {}) == 2
    runs.finish("r1", "completed", "answered", {})
    assert not runs.reopen("r1", "me")


def test_runs_of_a_journal_of_before_count_as_cut_off_and_can_be_opened(tmp_path: Path) -> None:
    old = Database(tmp_path / "old.db", MIGRATIONS[:1])
    with old.transaction() as connection:
        connection.execute(
            "INSERT INTO runs (id, task, model, created_at, extra) VALUES ('r', 't', 'm', ?, '{}')",
            (NOW,),
        )
    old.close()
    runs = RunStore(open_journal(tmp_path / "old.db"))
    assert (runs.get("r").status, runs.get("r").reason) == ("failed", "env_error")
    assert runs.unfinished() == []
    assert runs.reopen("r", "me")


def test_appends_from_threads_get_different_numbers(runs: RunStore) -> None:
    numbers: list[int] = []

    def work() -> None:
        numbers.extend(runs.append("r1", "e", {}) for _ in range(9))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 37))


@settings(max_examples=30, deadline=None)
@given(payloads=st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4), task=st.text())
def test_any_json_comes_back_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[dict[str, object]], task: str
) -> None:
    store = RunStore(open_journal(tmp_path_factory.mktemp("runs") / "journal.db"))
    store.create("r", task, "m", NOW, {})
    for payload in payloads:
        store.append("r", "e", payload)
    assert [event.payload for event in store.get("r").events] == payloads


def test_a_lone_surrogate_from_a_model_does_not_stop_the_journal(runs: RunStore) -> None:
    runs.append("r1", "text", {"delta": "\ud83d"})
    assert runs.get("r1").events[0].payload == {"delta": "\ud83d"}
    runs.create("r2", "half \ud83d", "m", NOW, {})
    assert runs.get("r2").task == "half ?"
