"""The fold of a journal: pure, in order, and good to go on from at every event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.agent.records import Action, Note, RunUsage, Step, Task, ToolCalled
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.replay import Replay
from edge_agent.agent.state import RunState
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import EventRow, RunStore
from edge_agent.tools.base import Page, SearchHit

from .endless import call_line, endless_service

TEXT = st.text(max_size=8)
FEW = 8  # facts that it takes to know the answer: two steps
PAGE = Page("http://w/1", "One", "It is so. It is not.", "text/html", "web", "2026-01-01T00:00:00Z")


def step_of(number: int, text: str) -> Step:
    action = Action("search", {"query": [text]}, "2 results")
    return Step(number, text, text, (action,), (Note("web", "http://w/1", "One", text),))


def made(tool: str, words: Sequence[str]) -> dict[str, Any]:
    """A `tool_done`."""
    if tool == "fetch_url":
        arguments = {"url": list(words), "purpose": "why"}
        return {"tool": tool, "arguments": arguments, "result": []}
    hits = [asdict(SearchHit(f"http://w/{w}", w, w, "world")) for w in words]
    result = [{"is": "results", "query": "q", "hits": hits, "engine": "world", "failures": []}]
    return {"tool": tool, "arguments": {"query": list(words)}, "result": result}


@st.composite
def journals(draw: st.DrawFn) -> list[EventRow]:
    """Events as runs write them, in any order that their kinds may come in."""
    rows: list[EventRow] = []
    steps = facts = 0
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=25)):
        words = draw(st.lists(TEXT, max_size=3))
        n = draw(st.integers(0, 9))
        spent = {"marked": [n], "usage": asdict(RunUsage(n, n, n, n, float(n)))}
        if kind == "step":
            steps += 1
            new = [fact_of(facts + i + 1, word) for i, word in enumerate(words)]
            facts += len(new)
            payload = {"step": asdict(step_of(steps, "".join(words))), "facts": new, **spent}
        else:
            payload = {
                "turn": {"step": steps + 1, "thought": "".join(words), "text": "", **spent},
                "tool_call": asdict(ToolCalled(steps + 1, n, "search", {"query": words})),
                "tool_done": made(draw(st.sampled_from(["search", "fetch_url"])), words),
                "resumed": {"automatic": n > 4, "model": "m"},
                "tool_begun": {"tool": "search", "arguments": {"query": words}},
            }.get(kind, {"of": words})
        rows.append(EventRow(len(rows) + 1, kind, payload))
    return rows


KINDS = [
    "step",
    "turn",
    "tool_call",
    "tool_begun",
    "tool_done",
    "resumed",
    "note",
    "from_the_future",
]


def fact_of(number: int, text: str) -> dict[str, Any]:
    page = {"page": "gone", "url": f"http://w/{text}", "title": text, "source": "web"}
    return {"number": number, **page, "position": number, "text": text, "context": ""}


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> ResultCodec:
    return ResultCodec(RunStore(open_journal(tmp_path_factory.mktemp("fold") / "j.db")).pages)


@settings(max_examples=80, deadline=None)
@given(events=journals(), cut=st.integers(0, 25))
def test_a_fold_of_a_fold_is_the_fold_of_the_whole(
    codec: ResultCodec, events: list[EventRow], cut: int
) -> None:
    whole, parts = Replay(events), Replay(events[:cut])
    before = parts.state(codec)
    for event in events[cut:]:
        parts.feed(event)
    assert parts.state(codec) == whole.state(codec)
    assert (parts.open, parts.cuts, parts.seq) == (whole.open, whole.cuts, whole.seq)
    # nothing that was recorded is ever taken back
    after = whole.state(codec)
    for name in ("steps", "facts", "hits", "queries", "urls"):
        known, later = getattr(before, name), getattr(after, name)
        assert later[: len(known)] == known


@settings(max_examples=80, deadline=None)
@given(events=journals())
def test_the_fold_has_every_step_and_only_the_calls_behind_the_last(
    codec: ResultCodec, events: list[EventRow]
) -> None:
    replay = Replay(events)
    state = replay.state(codec)
    kinds = [event.kind for event in events]
    steps = [event.payload for event in events if event.kind == "step"]
    assert [asdict(step) for step in state.steps] == [step["step"] for step in steps]
    assert [f.number for f in state.facts] == [f["number"] for s in steps for f in s["facts"]]
    last = len(kinds) - kinds[::-1].index("step") if "step" in kinds else 0
    assert replay.open.made == [e.payload for e in events[last:] if e.kind == "tool_done"]
    done = [e.payload["arguments"] for e in events[:last] if e.kind == "tool_done"]
    assert list(state.queries) == [query for args in done for query in args.get("query", ())]
    assert list(state.urls) == [url for args in done for url in args.get("url", ())]
    spent = [e.payload["usage"] for e in events if e.kind in ("turn", "step")]
    assert asdict(state.usage) == (spent[-1] if spent else asdict(RunUsage()))


def test_no_events_are_a_run_at_its_beginning(codec: ResultCodec) -> None:
    assert Replay().state(codec) == RunState()


def test_a_fact_has_its_page_as_it_was_stored(codec: ResultCodec) -> None:
    fact = {**fact_of(1, "It is so."), "page": codec.keep(PAGE)}
    gone = fact_of(2, "It was so.")
    spent: dict[str, Any] = {"marked": [1], "usage": {}}
    payload = {"step": asdict(step_of(1, "")), "facts": [fact, gone], **spent}
    state = Replay([EventRow(1, "step", payload)]).state(codec)
    assert state.facts[0].page == PAGE
    assert state.facts[1].page.text == "It was so."  # the words of the fact are still its proof
    assert state.marked == (1,)


def test_a_query_that_nobody_answered_may_be_asked_again(codec: ResultCodec) -> None:
    answered = made("search", ["a", "b"])
    silent = {"is": "results", "query": "b", "hits": [], "engine": "", "failures": [["x", "down"]]}
    answered["result"].append(silent)
    failed = {"tool": "search", "arguments": {"query": ["c"]}, "error": "All are down."}
    payload = {"step": asdict(step_of(1, "")), "facts": [], "marked": [], "usage": {}}
    events = [("tool_done", answered), ("tool_done", failed), ("step", payload)]
    replay = Replay(EventRow(n, kind, each) for n, (kind, each) in enumerate(events, 1))
    assert replay.state(codec).queries == ("a",)


def test_a_turn_that_was_begun_is_pending_until_its_step_is_over(codec: ResultCodec) -> None:
    turn = {"step": 1, "thought": "hm", "text": "", "marked": [], "usage": {}}
    call = asdict(ToolCalled(1, 0, "search", {"query": ["x"]}))
    replay = Replay([EventRow(1, "turn", turn), EventRow(2, "tool_call", call)])
    pending = replay.state(codec).pending
    assert pending is not None
    assert (pending.thought, [c.arguments for c in pending.calls]) == ("hm", [{"query": ["x"]}])
    replay.feed(EventRow(3, "resumed", {"automatic": True, "model": "m"}))
    assert replay.state(codec).pending == pending
    # the same turn once more replaces itself
    replay.feed(EventRow(4, "turn", turn))
    replay.feed(EventRow(5, "tool_call", call))
    assert replay.state(codec).pending == pending
    payload = {"step": asdict(step_of(1, "")), "facts": [], "marked": [], "usage": {}}
    replay.feed(EventRow(6, "step", payload))
    assert replay.state(codec).pending is None


def test_an_ending_stands_unless_the_world_was_to_blame(codec: ResultCodec) -> None:
    by_hand = {"automatic": False, "model": "m"}
    for reason, left in (("answered", "answered"), ("steps_limit", "steps_limit")):
        ending = {"reason": reason, "answer": "so"}
        events = [EventRow(1, "ending", ending), EventRow(2, "resumed", by_hand)]
        state = Replay(events).state(codec)
        assert (state.reason, state.answer) == (left, "so")
    failed = [EventRow(1, "ending", {"reason": "tool_failed", "answer": ""})]
    assert Replay(failed).state(codec).reason == "tool_failed"
    assert Replay([*failed, EventRow(2, "resumed", by_hand)]).state(codec).reason is None


async def test_a_run_can_go_on_from_every_event_of_its_journal(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    service = endless_service(whole, pause_s=0.0, facts=FEW)
    run = await service.run(Task("What is it?"))
    await service.close()
    with closing(open_journal(whole / "journal.sqlite")) as journal:
        row = RunStore(journal).get(run.id)
    assert len(run.steps) == 2
    for cut in range(1, len(row.events)):
        await _goes_on(tmp_path / str(cut), whole, row.events[:cut])


async def _goes_on(folder: Path, whole: Path, left: Sequence[EventRow]) -> None:
    """A journal that was cut off after these events, taken up by another service."""
    folder.mkdir()
    with closing(open_journal(folder / "journal.sqlite")) as journal:
        store = RunStore(journal)
        _copy_pages(whole, store)
        events = [(event.kind, event.payload) for event in left]
        store.create("cut", "What is it?", "fake", "2026-01-01", {}, "dead", events)
        store.start("cut")
    service = endless_service(folder, pause_s=0.0, facts=FEW)
    assert service.recover() == ["cut"]
    async for _ in service.book.events("cut"):
        pass
    run = service.book.run("cut")
    await service.close()
    assert (run.status, run.reason, run.answer) == ("completed", "answered", "the answer")
    assert run.citations
    kept = [event.payload["step"] for event in left if event.kind == "step"]
    assert [asdict(step) for step in run.steps][: len(kept)] == [_tupled(step) for step in kept]
    assert [step.number for step in run.steps] == list(range(1, len(run.steps) + 1))
    done = {_line(event) for event in left if event.kind == "tool_done"}
    log = folder / "calls.log"
    calls = log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []
    assert not done & set(calls)


def _line(event: EventRow) -> str:
    return call_line(event.payload["tool"], event.payload["arguments"])


def _copy_pages(whole: Path, store: RunStore) -> None:
    with closing(open_journal(whole / "journal.sqlite")) as source, source.reading() as connection:
        for row in connection.execute("SELECT * FROM pages").fetchall():
            page = dict(row)
            del page["number"], page["id"]
            store.pages.put(**page)


def _tupled(step: dict[str, Any]) -> dict[str, Any]:
    """A step of JSON as `asdict` gives it."""
    return {**step, "actions": tuple(step["actions"]), "notes": tuple(step["notes"])}
