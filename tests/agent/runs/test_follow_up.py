"""Runs that begin with what another found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.agent.records import Task
from edge_agent.errors import (
    Conflict,
)

from ..fakes import FakeChat, search
from .house import QUESTION, SLOW, House, ended


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
