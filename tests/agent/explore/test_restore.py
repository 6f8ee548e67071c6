"""A run that was cut off goes on behind its last recorded step."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.agent.records import Limits, RunUsage, StepStarted, ToolCalled
from edge_agent.agent.state import PendingTurn, RunState

from ..fakes import HARBOUR, World, search
from .kit import PLAIN, QUESTION, Kit, Watched, answers, reads, searches

FOUND = (searches("carried bell"), reads("http://h/bell"))


async def state_after(kit: Kit, turns: int) -> RunState:
    """What a journal of the first steps would fold to."""
    for _ in range(turns):
        await kit.explorer.step()
    return kit.state()


async def test_nothing_done_is_done_again() -> None:
    state = await state_after(Kit(Watched(*FOUND)), 2)
    world = World(HARBOUR)
    chat = Watched(*FOUND, searches("Thrift smack"), reads("http://h/thrift"), answers("Ane"))
    kit = Kit(chat, world)
    kit.explorer.restore(state)
    ending = await kit.explorer.explore()
    assert ending.answer == "Ane"
    assert world.searched == ["Thrift smack"]
    assert "http://h/bell" not in world.read
    assert [event.step for event in kit.told(StepStarted)] == [3, 4, 5]  # type: ignore[union-attr]


async def test_the_model_is_told_what_was_known() -> None:
    state = await state_after(Kit(Watched(*FOUND)), 2)
    chat = Watched(answers("Ane"))
    kit = Kit(chat)
    kit.explorer.restore(state)
    await kit.explorer.explore()
    assert "carried by the smack Thrift" in chat.rendered[0]
    assert "Results not read yet:" in chat.rendered[0]
    assert "(http://h/bell" not in chat.rendered[0]


async def test_a_fact_keeps_its_number_and_a_guess_stays_a_guess() -> None:
    first = Kit(Watched(reads("http://h/thrift")))
    state = await state_after(first, 1)
    kit = Kit(Watched(answers("Ane Pollock")))
    kit.explorer.restore(state)
    assert [f.number for f in kit.explorer.evidence] == [f.number for f in first.explorer.evidence]
    ending = await kit.explorer.explore()
    assert (await kit.explorer.answer(ending)).citations == ()


async def test_what_was_spent_stays_spent() -> None:
    state = await state_after(Kit(Watched(*FOUND)), 2)
    kit = Kit(Watched(searches("a b c")), limits=Limits(steps=2))
    kit.explorer.restore(state)
    assert (await kit.explorer.explore()).reason == "steps_limit"
    assert kit.steps == []
    kit = Kit(Watched(searches("a b c")), limits=Limits(seconds=100))
    kit.explorer.restore(replace(state, usage=RunUsage(seconds=99)))
    assert (await kit.explorer.explore()).reason == "time_limit"


async def test_a_turn_that_was_cut_off_is_done_without_asking_the_model() -> None:
    calls = (ToolCalled(1, 0, "search", {"query": ["carried bell"]}),)
    chat = Watched(answers("Ane"))
    kit = Kit(chat)
    kit.explorer.restore(RunState(pending=PendingTurn("First the bell.", "", calls)))
    await kit.explorer.step()
    assert chat.asked == []
    assert kit.world.searched == ["carried bell"]
    assert (kit.steps[0].number, kit.steps[0].thought) == (1, "First the bell.")


async def test_the_opening_search_is_not_repeated() -> None:
    state = await state_after(Kit(Watched(search("x y z")), profile=PLAIN), 1)
    kit = Kit(Watched(search("Thrift builder"), answers=("Ane Pollock",)), profile=PLAIN)
    kit.explorer.restore(state)
    ending = await kit.explorer.explore()
    assert QUESTION not in kit.world.searched
    assert ending.drawn is not None and ending.drawn.text == "Ane Pollock"


async def test_turns_that_brought_nothing_are_remembered() -> None:
    repeat = searches("carried bell")
    world = World({})
    state = await state_after(Kit(Watched(repeat), world), 3)
    kit = Kit(Watched(repeat), World({}))
    kit.explorer.restore(state)
    assert (await kit.explorer.explore()).reason == "repetition"
    assert len(kit.steps) == 1
