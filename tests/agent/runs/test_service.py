"""Whole runs with a scripted model over a small world, journalled in a real file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.agent.explore.profile import PROFILES, Profile
from edge_agent.agent.records import (
    Answered,
    Limits,
    NoteTaken,
    Run,
    RunEvent,
    RunStarted,
    StepStarted,
    Task,
)
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import ChatRequest
from edge_agent.errors import EngineCrashed, NotFound, RequestError
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from tests.patience import until

from ..fakes import HARBOUR, FakeChat, Says, World, search

# one search and no more before the model is asked
PLAIN = replace(PROFILES["plain"], reads=3, follows=0)
HERMES = PROFILES["agentcpm"]
QUESTION = "Who built the smack that carried the bell?"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        yield RunStore(journal)


def asked(request: ChatRequest) -> Mapping[str, object]:
    """The fields a constrained request asks for."""
    schema = request.response_schema or {}
    properties: Mapping[str, object] = schema.get("properties", {})
    return properties


def service(chat: FakeChat, store: RunStore, world: World, profile: Profile) -> AgentService:
    def tools_for(library: str | None) -> object:
        if library not in (None, "world"):
            raise NotFound(f"There is no library {library!r}.")
        return world.tools()

    return AgentService(chat, profile, tools_for, store, None)  # type: ignore[arg-type]


async def outcome(
    chat: FakeChat,
    store: RunStore,
    profile: Profile = PLAIN,
    world: World | None = None,
    limits: Limits | None = None,
) -> Run:
    agent = service(chat, store, world or World(HARBOUR), profile)
    return await agent.run(Task(QUESTION, limits=limits or Limits()))


async def test_a_run_answers_with_a_quote_that_stands_on_the_cited_page(store: RunStore) -> None:
    chat = FakeChat([search("Thrift builder")], ["Ane Pollock"])
    run = await outcome(chat, store)
    assert (run.status, run.reason, run.answer) == ("completed", "answered", "Ane Pollock")
    assert run.citations
    assert all(c.quote in HARBOUR[c.url] for c in run.citations)


async def test_the_first_step_searches_the_question_itself_without_a_model(store: RunStore) -> None:
    world = World(HARBOUR)
    chat = FakeChat([search("bell")])
    run = await outcome(chat, store, world=world)
    assert world.searched[0] == QUESTION
    assert set(world.read) <= set(HARBOUR)
    assert len(run.steps[0].notes) >= 2
    assert run.steps[0].completion_tokens == 0


async def test_prompt_n_and_what_was_generated_begin_prompt_n_plus_1(store: RunStore) -> None:
    turns = [search(query) for query in ("market", "Pollock", "Mondays")]
    chat = FakeChat(turns, ["not found"] * 2 + ["fish"])
    await outcome(chat, store)
    prompts = [p for p, r in zip(chat.prompts, chat.requests, strict=True) if "query" in asked(r)]
    assert len(prompts) == 3
    for before, after in pairwise(prompts):
        assert after[: len(before)] == before
        assert len(after) > len(before)


async def test_raw_page_text_never_enters_the_window(store: RunStore) -> None:
    noise = " ".join(f"Sentence {i} is about nothing at all." for i in range(3000))
    world = World({"http://h/bell": f"The bell was carried here. {noise}"})
    chat = FakeChat([search("bell")], n_ctx=2000)
    run = await outcome(chat, store, world=world)
    assert run.reason == "answered"
    assert max(len(prompt) for prompt in chat.prompts) < 900


@pytest.mark.parametrize(
    ("limits", "turns", "reason"),
    [(Limits(steps=3), 2, "steps_limit"), (Limits(tokens=6), 1, "token_limit")],
)
async def test_a_budget_ends_the_run_with_an_answer_from_the_evidence(
    store: RunStore, limits: Limits, turns: int, reason: str
) -> None:
    pages = {f"http://h/{i}": f"Smack number {i} carried a bell." for i in range(40)}
    script = [search(f"smack carried{i} word{i}") for i in range(40)]
    chat = FakeChat(script, ["not found"] * turns + ["a bell"])
    run = await outcome(chat, store, world=World(pages), limits=limits)
    assert (run.status, run.reason, run.answer) == ("completed", reason, "a bell")
    assert run.citations


async def test_the_clock_ends_a_silent_model(store: RunStore) -> None:
    chat = FakeChat([replace(search("bell"), wait_s=60)])
    run = await outcome(chat, store, limits=Limits(seconds=1.0))
    assert run.reason == "time_limit"
    assert run.answer == "the answer"
    assert run.usage.seconds < 20


async def test_a_model_that_only_repeats_itself_is_stopped(store: RunStore) -> None:
    run = await outcome(FakeChat([search("bell")], ["not found"]), store)
    assert run.reason == "repetition"
    assert len(run.steps) < 10
    assert run.answer == "not found"


async def test_a_search_that_is_down_ends_honestly(store: RunStore) -> None:
    world = World(HARBOUR, search_error="the engine is down")
    run = await outcome(FakeChat([search("x y z")]), store, world=world)
    assert (run.status, run.reason) == ("failed", "tool_failed")
    assert "the engine is down" in run.answer
    assert run.citations == ()


async def test_nothing_found_is_said_not_invented(store: RunStore) -> None:
    script = [search(f"query{i}") for i in range(20)]
    run = await outcome(FakeChat(script), store, world=World({}), limits=Limits(steps=4))
    assert (run.answer, run.citations) == ("not found", ())
    assert run.reason == "steps_limit"


async def test_a_crashed_engine_ends_the_run_not_the_service(store: RunStore) -> None:
    chat = FakeChat([Says(error=EngineCrashed("The engine died."))])
    run = await outcome(chat, store)
    assert (run.status, run.reason) == ("failed", "env_error")
    assert "The engine died." in run.answer


async def test_turns_that_cannot_be_read_end_in_format_error(store: RunStore) -> None:
    broken = Says('{"thought": "on and on', length=True)
    run = await outcome(FakeChat([broken], ["not found"] * 3 + ["210"]), store)
    assert (run.reason, run.answer) == ("format_error", "210")


async def test_a_crowded_window_is_folded_and_the_run_goes_on(store: RunStore) -> None:
    pages = {f"http://h/{i}": f"Smack {i} carried a bell. " + "word " * 60 for i in range(60)}
    script = [search(f"smack carried{i} word{i}") for i in range(30)]
    chat = FakeChat(script, ["not found"] * 30 + ["many"], n_ctx=1500)
    run = await outcome(chat, store, world=World(pages), limits=Limits(steps=40))
    assert run.reason == "answered"
    assert max(len(prompt) for prompt in chat.prompts) < 1500


async def test_hermes_calls_answer_between_tags_and_citations_are_found(store: RunStore) -> None:
    chat = FakeChat(
        [
            Says(thought="First the bell.", calls=(("search", {"query": ["smack Thrift"]}),)),
            Says(calls=(("fetch_url", {"url": ["http://h/thrift"], "purpose": "builder"}),)),
            Says("It was <answer>Ane Pollock</answer>"),
        ]
    )
    run = await outcome(chat, store, HERMES)
    assert (run.answer, run.reason) == ("Ane Pollock", "answered")
    assert [c.url for c in run.citations] == ["http://h/thrift"]
    assert run.steps[0].thought == "First the bell."


async def test_hermes_nudges_travel_as_tool_responses(store: RunStore) -> None:
    chat = FakeChat(
        [
            Says(calls=(("search", {"query": ["bell"]}),)),
            *[Says("<tool_call>{bad", malformed="the call is not JSON.")] * 3,
            Says("<answer>Ane</answer>"),
        ]
    )
    run = await outcome(chat, store, HERMES)
    assert run.answer == "Ane"
    assert "the call is not JSON." in chat.rendered[2]


async def test_venus_is_asked_with_the_names_it_was_trained_on(store: RunStore) -> None:
    chat = FakeChat(
        [
            Says(calls=(("visit", {"url": "http://h/thrift", "goal": "builder"}),)),
            Says("<answer>Ane Pollock</answer>"),
        ]
    )
    world = World(HARBOUR)
    await outcome(chat, store, PROFILES["dr-venus"], world)
    assert [tool.name for tool in chat.requests[0].tools] == ["search", "visit"]
    assert world.read == ["http://h/thrift"]


async def test_everything_is_in_the_journal_as_it_happens(store: RunStore) -> None:
    chat = FakeChat([search("Thrift builder")])
    agent = service(chat, store, World(HARBOUR), PLAIN)
    events: list[RunEvent] = []
    async for event in agent.stream(Task(QUESTION)):
        events.append(event)
        if isinstance(event, NoteTaken):
            assert store.list()[0].status == "running"
    started, last = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert isinstance(last, Answered)
    row = store.get(started.id)
    assert (row.status, row.reason) == ("completed", "answered")
    assert row.result is not None
    assert row.result["answer"] == last.run.answer
    kinds = [event.kind for event in row.events]
    assert kinds.count("step") == len(last.run.steps)
    assert {"step_started", "tool_call", "tool_result", "note"} <= set(kinds)


async def test_closing_the_stream_cancels_the_run_and_journals_that(store: RunStore) -> None:
    chat = FakeChat([replace(search("bell"), wait_s=60)])
    stream = service(chat, store, World(HARBOUR), PLAIN).stream(Task(QUESTION))
    started = await anext(stream)
    assert isinstance(started, RunStarted)
    async for event in stream:
        if isinstance(event, StepStarted) and event.step == 2:
            break
    await until(lambda: chat.opened == 1)
    await stream.aclose()
    assert chat.closed == 1
    row = store.get(started.id)
    assert (row.status, row.reason) == ("cancelled", "cancelled")


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (Task("  "), RequestError),
        (Task(QUESTION, model="gpt-9"), NotFound),
        (Task(QUESTION, library="/etc"), NotFound),
    ],
)
async def test_what_cannot_be_run_is_refused_before_anything_happens(
    store: RunStore, task: Task, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await service(FakeChat([Says()]), store, World(HARBOUR), PLAIN).run(task)
    assert store.list() == []


async def test_closing_right_after_the_start_is_journalled_too(store: RunStore) -> None:
    stream = service(FakeChat([Says()]), store, World(HARBOUR), PLAIN).stream(Task(QUESTION))
    await anext(stream)
    await stream.aclose()
    assert [row.status for row in store.list()] == ["cancelled"]


async def test_a_journal_that_fails_does_not_swallow_the_answer(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.sqlite")
    stream = service(FakeChat([search("bell")]), RunStore(journal), World(HARBOUR), PLAIN).stream(
        Task(QUESTION)
    )
    await anext(stream)
    journal.close()
    events = [event async for event in stream]
    assert isinstance(events[-1], Answered)
    assert (events[-1].run.reason, events[-1].run.answer) == ("answered", "the answer")


async def test_a_defect_ends_the_run_with_a_sentence(store: RunStore) -> None:
    run = await outcome(FakeChat([Says(error=ZeroDivisionError())]), store)
    assert (run.status, run.reason) == ("failed", "env_error")
    assert "ZeroDivisionError" in run.answer


async def test_a_page_named_in_the_task_is_read_in_the_first_step(store: RunStore) -> None:
    world = World(HARBOUR)
    agent = service(FakeChat([search("Pollock")]), store, world, PLAIN)
    run = await agent.run(Task("Who is named on http://h/thrift?"))
    assert world.read[0] == "http://h/thrift"
    assert run.steps[0].actions[0].tool == "fetch_url"


async def test_the_first_answer_that_the_facts_hold_ends_the_run(store: RunStore) -> None:
    script = [search("Thrift builder"), search("Mondays market"), search("fish")]
    run = await outcome(FakeChat(script, ["not found", "Ane Pollock"]), store)
    assert (run.answer, run.reason, len(run.steps)) == ("Ane Pollock", "answered", 3)


async def test_a_question_of_little_words_is_searched_all_the_same(store: RunStore) -> None:
    world = World(HARBOUR)
    agent = service(FakeChat([search("bell")]), store, world, PLAIN)
    await agent.run(Task("Who?"))
    assert world.searched[0] == "Who?"


async def test_an_answer_that_repeats_the_question_sends_the_run_on(store: RunStore) -> None:
    script = [search("Thrift builder"), search("Mondays market")]
    run = await outcome(FakeChat(script, ["the smack", "Ane Pollock"]), store)
    assert (run.answer, len(run.steps)) == ("Ane Pollock", 3)
