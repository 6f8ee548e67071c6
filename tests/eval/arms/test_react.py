"""The bare ReAct loop."""

from __future__ import annotations

import json

from edge_agent.eval.arms.react import STEPS, React
from edge_agent.eval.pages import ToolPages
from edge_agent.eval.question import Question
from edge_agent.eval.trial import Trial, scored
from tests.agent.fakes import HARBOUR, FakeChat, Says, World

QUESTION = Question("q1", "Who built the smack that carried the bell?", "Ane Pollock")


def move(action: str, input: str) -> Says:
    return Says(json.dumps({"thought": "Hm.", "action": action, "input": input}))


async def tried(chat: FakeChat, world: World | None = None) -> Trial:
    return await React(chat, ToolPages((world or World(HARBOUR)).tools)).answer(QUESTION)


async def test_it_searches_reads_by_title_and_answers() -> None:
    chat, world = (
        FakeChat([move("search", "smack"), move("read", "thrift"), move("answer", "Ane")]),
        World(HARBOUR),
    )
    run = (await tried(chat, world)).run
    assert (run.answer, run.reason, run.forced) == ("Ane", "answered", False)
    assert (world.searched, world.read) == (["smack"], ["http://h/thrift"])
    assert "http://h/thrift" in chat.rendered[1] and "built by Ane Pollock" in chat.rendered[2]
    assert run.usage.tool_calls == 2 and len(run.steps) == 3


async def test_in_the_last_step_it_may_only_answer() -> None:
    chat = FakeChat(
        [move("search", f"smack {i}") for i in range(STEPS - 1)] + [move("answer", "Bo")]
    )
    run = (await tried(chat)).run
    assert (run.answer, run.reason, run.forced) == ("Bo", "steps_limit", True)
    allowed = [dict(r.response_schema or {})["properties"]["action"]["enum"] for r in chat.requests]
    assert allowed == [["search", "read", "answer"]] * (STEPS - 1) + [["answer"]]


async def test_a_move_that_was_made_before_is_made_again_and_counted() -> None:
    chat, world = FakeChat([move("search", "smack")]), World(HARBOUR)
    line = scored(QUESTION, 0, await tried(chat, world), 1.0)
    assert world.searched == ["smack"] * (STEPS - 1)
    assert (line.actions, line.repeated) == (STEPS - 1, STEPS - 2)


async def test_what_is_not_one_object_is_counted_and_told() -> None:
    chat = FakeChat([Says('{"thought": "cut', length=True), Says("[1]"), move("answer", "Bo")])
    line = scored(QUESTION, 0, await tried(chat), 1.0)
    assert (line.answer, line.invalid, line.turns) == ("Bo", 2, 3)
    assert "not one whole JSON object" in chat.rendered[1]


async def test_a_tool_that_fails_is_told_to_the_model() -> None:
    world = World(HARBOUR, search_error="The engine is down.")
    chat = FakeChat([move("search", "smack"), move("read", "no url"), move("answer", "Bo")])
    line = scored(QUESTION, 0, await tried(chat, world), 1.0)
    assert line.answer == "Bo"
    assert "The engine is down." in chat.rendered[1]
    assert "404" in chat.rendered[2]


async def test_the_oldest_turn_makes_room_in_a_small_window() -> None:
    long = {f"http://h/{i}": f"# Smack {i}\n\n" + f"smack{i} " * 280 for i in range(5)}
    moves = [move("read", f"http://h/{i}") for i in range(5)] + [move("answer", "Bo")]
    chat = FakeChat(moves, n_ctx=800)
    assert (await tried(chat, World(long))).run.answer == "Bo"
    assert all(len(prompt) < 800 for prompt in chat.prompts)
    assert QUESTION.question in chat.rendered[-1] and "smack4" in chat.rendered[-1]
    assert "smack0" not in chat.rendered[-1]
