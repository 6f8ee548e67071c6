"""Runs of several rollouts, and runs that begin afresh after a failed check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.agent.records import Answered, RolloutEnded, StepStarted
from edge_agent.agent.runs.replay import key_of
from edge_agent.errors import RequestError
from tests.patience import until

from ..fakes import HARBOUR, FakeChat, search
from .house import QUESTION, SLOW, House, ended

VOTED = replace(QUESTION, n=3)


async def test_the_answer_of_most_rollouts_is_the_run(house: House) -> None:
    chat = FakeChat([search("Thrift builder")], ["Ane Pollock"])
    run = await house.service(chat).run(VOTED)
    assert (run.status, run.reason, run.answer) == ("completed", "answered", "Ane Pollock")
    assert [rollout.winner for rollout in run.rollouts].count(True) == 1
    assert run.steps and run.tried
    assert run.citations and all(c.quote in HARBOUR[c.url] for c in run.citations)
    assert run == house.service().book.run(run.id)


async def test_rollouts_sample_with_different_seeds(house: House) -> None:
    chat = FakeChat([search("Thrift builder")], ["Ane Pollock"])
    await house.service(chat).run(VOTED)
    seeds = {request.sampling.seed for request in chat.requests if request.sampling}
    assert len(seeds) >= 2
    assert all(request.sampling.temperature > 0 for request in chat.requests if request.sampling)


async def test_what_all_rollouts_spend_is_the_runs(house: House) -> None:
    one = await house.service().run(QUESTION)
    service = house.service()
    events = [event async for event in service.stream(VOTED)]
    last = events[-1]
    assert isinstance(last, Answered)
    assert last.run.usage.tool_calls >= 2 * one.usage.tool_calls
    assert last.run.usage.prompt_tokens >= 2 * one.usage.prompt_tokens
    told = [event.rollout.answer for event in events if isinstance(event, RolloutEnded)]
    assert 2 <= len(told) <= 3
    assert not any(isinstance(event, StepStarted) for event in events)


async def test_a_failed_check_is_followed_by_a_fresh_attempt(house: House) -> None:
    script = [search(f"Thrift builder {word}") for word in ("one", "two", "three", "four")]
    chat = FakeChat(script, ["Gerrith Olm"] * 8 + ["Ane Pollock"])
    task = replace(QUESTION, fresh_attempts=1, limits=replace(QUESTION.limits, steps=6))
    service = house.service(chat)
    events = [event async for event in service.stream(task)]
    last = events[-1]
    assert isinstance(last, Answered)
    assert last.run.answer == "Ane Pollock"
    told = [event.step for event in events if isinstance(event, StepStarted)]
    assert told == list(range(1, len(told) + 1))
    assert [step.number for step in last.run.steps] == told
    assert any("An earlier" in text for text in chat.rendered)


async def test_after_a_crash_rollouts_begin_anew_and_repeat_no_call(house: House) -> None:
    first = house.service(FakeChat([SLOW]))
    run_id = first.submit(VOTED).id
    await until(lambda: sum(e.kind == "spent" for e in house.store.get(run_id).events) >= 2)
    await first.close()
    rows = house.store.get(run_id).events
    spent = [row.payload["usage"] for row in rows if row.kind == "spent"]
    service = house.service()
    assert service.recover() == [run_id]
    run = await ended(service, run_id)
    assert (run.status, run.answer) == ("completed", "Ane Pollock")
    assert run.usage.tool_calls >= spent[-1]["tool_calls"]
    done = [
        key_of(row.payload["tool"], row.payload["arguments"])
        for row in house.store.get(run_id).events
        if row.kind == "tool_done"
    ]
    first_search = key_of("search", {"query": [QUESTION.task]})
    assert done.count(first_search) <= VOTED.n  # each rollout made it once, before or after


async def test_a_follow_up_knows_what_the_winner_found(house: House) -> None:
    first = await house.service().run(VOTED)
    chat = FakeChat([search("Mondays")], ["1871"])
    service = house.service(chat)
    run = await ended(service, service.follow_up(first.id, replace(QUESTION, task="When?")).id)
    assert run.answer == "1871"
    facts = next(text for text in chat.rendered if "[1]" in text)
    assert all(citation.quote in facts for citation in first.citations)


async def test_too_many_rollouts_are_refused(house: House) -> None:
    with pytest.raises(RequestError, match="at most 64") as refused:
        house.service().submit(replace(QUESTION, n=65))
    assert refused.value.param == "n"
