"""Events of a run: on the disk before they are told, and told though the disk is full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.records import Answered, Run, RunUsage, StepStarted, ThoughtDelta
from edge_agent.agent.runs.journal import Ear, RunJournal
from edge_agent.errors import StoreError
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore

RUN = Run("r", "t", "m", "completed", "answered", "so", (), (), RunUsage())


class Disk(RunStore):
    """A store whose disk can be full."""

    full = False

    def extend(self, run_id: str, events: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        if self.full:
            raise StoreError("The disk is full.")
        return super().extend(run_id, events)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    store = Disk(open_journal(tmp_path / "journal.sqlite"))
    store.create("r", "t", "m", "2026-01-01", {})
    return store


def heard(ear: Ear) -> list[tuple[int | None, str] | None]:
    """What an ear has heard; None is the end."""
    told = [ear.get_nowait() for _ in range(ear.qsize())]
    return [None if each is None else (each.seq, each.kind) for each in told]


def kinds(store: RunStore) -> list[tuple[int, str]]:
    return [(event.seq, event.kind) for event in store.get("r").events]


async def test_events_are_told_with_the_numbers_they_have_on_the_disk(disk: Disk) -> None:
    journal = RunJournal(disk, "r")
    ear = journal.listen()
    journal.write("turn", {})
    journal.write_event(StepStarted(1))
    journal.tell(ThoughtDelta(1, "hm"))
    journal.finish(RUN)
    told = [(1, "turn"), (2, "step_started"), (3, "answer")]
    assert kinds(disk) == told
    assert heard(ear) == [*told[:2], (None, "thought_delta"), told[2], None]
    assert journal.last == 3 and journal.is_finished


async def test_what_is_held_is_neither_told_nor_kept_before_the_next_is_written(disk: Disk) -> None:
    journal = RunJournal(disk, "r")
    ear = journal.listen()
    journal.hold("turn", {})
    journal.hold("tool_call", {})
    assert (kinds(disk), heard(ear)) == ([], [])
    journal.write("tool_begun", {})
    assert kinds(disk) == heard(ear) == [(1, "turn"), (2, "tool_call"), (3, "tool_begun")]


async def test_a_full_disk_swallows_nothing_once_there_is_room_again(disk: Disk) -> None:
    journal = RunJournal(disk, "r")
    ear = journal.listen()
    journal.write("a", {})
    disk.full = True
    journal.write("b", {})
    journal.write("c", {})
    assert heard(ear) == [(1, "a"), (2, "b"), (3, "c")]
    assert kinds(disk) == [(1, "a")]
    disk.full = False
    journal.write("d", {})
    assert kinds(disk) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


async def test_the_answer_is_told_though_the_disk_is_full_and_can_be_kept_later(disk: Disk) -> None:
    journal = RunJournal(disk, "r")
    ear = journal.listen()
    disk.full = True
    journal.write("a", {})
    journal.finish(RUN)
    assert heard(ear) == [(1, "a"), (2, "answer"), None]
    assert disk.get("r").status == "queued" and not journal.is_finished
    disk.full = False
    assert journal.save(RUN) and journal.save(RUN)
    row = disk.get("r")
    assert row.status == "completed" and kinds(disk) == [(1, "a"), (2, "answer")]


async def test_a_journal_goes_on_behind_what_is_there(disk: Disk) -> None:
    disk.append("r", "a", {})
    journal = RunJournal(disk, "r", last=1)
    journal.write("b", {})
    assert kinds(disk) == [(1, "a"), (2, "b")]


async def test_who_does_not_listen_any_more_hears_nothing(disk: Disk) -> None:
    journal = RunJournal(disk, "r")
    ear, other = journal.listen(), journal.listen()
    journal.ignore(ear)
    journal.write("a", {})
    assert (heard(ear), heard(other)) == ([], [(1, "a")])
    journal.finish(RUN)
    told = [other.get_nowait() for _ in range(other.qsize())]
    assert told[0] is not None and told[0].event == Answered(RUN)
