from __future__ import annotations

import json

import jsonschema
import pytest

from quantize.compare.turns import AgentTurn, read_turns, score

TOOLS, TURNS = read_turns()
BY_NAME = {turn.name: turn for turn in TURNS}


def call(name: str, arguments: object) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def test_the_set_is_sound() -> None:
    schemas = {tool.name: tool.parameters for tool in TOOLS}
    assert len(BY_NAME) == len(TURNS) >= 10
    for turn in TURNS:
        assert bool(turn.call) != bool(turn.answer)
        if turn.call:
            jsonschema.validate(turn.arguments, schemas[turn.call])
        assert turn.messages[-1].role in ("user", "tool")


@pytest.mark.parametrize("turn", [turn for turn in TURNS if turn.call], ids=lambda turn: turn.name)
def test_the_call_that_is_due_is_valid_and_exact(turn: AgentTurn) -> None:
    taken = score(turn, TOOLS, call(turn.call, turn.arguments), True, False)
    assert (taken.valid, taken.exact, taken.stopped) == (True, True, True)


@pytest.mark.parametrize(
    ("text", "valid", "exact"),
    [
        (call("search", {"query": ["height of Mount Everest"]}), True, False),
        (call("search", {}), False, False),
        (call("fetch_url", {"url": ["a"], "purpose": "b"}), False, False),
        ("The height is 5,642 m.", False, False),
        ('<tool_call>\n{"name": "search", ', False, False),
        (call("search", {"query": ["a"]}) + call("search", {"query": ["b"]}), False, False),
    ],
)
def test_other_calls_are_told_apart(text: str, valid: bool, exact: bool) -> None:
    taken = score(BY_NAME["search"], TOOLS, text, True, False)
    assert (taken.valid, taken.exact) == (valid, exact)


@pytest.mark.parametrize(
    ("text", "ended", "opens", "found"),
    [
        ("<answer>1869</answer>", True, False, (True, True, True)),
        ("<answer>1870</answer>", True, False, (True, False, True)),
        ("<answer>1869", True, False, (True, True, False)),
        ("<answer>1869</answer>", False, False, (True, True, False)),
        ("It was 1869.</think><answer>1931</answer>", True, True, (True, False, True)),
        ("It was in 1869", False, True, (True, True, False)),
        (call("search", {"query": ["a"]}), True, False, (False, False, True)),
        ("", True, False, (False, False, True)),
    ],
)
def test_an_answer_is_read_behind_the_thought(
    text: str, ended: bool, opens: bool, found: tuple[bool, bool, bool]
) -> None:
    taken = score(BY_NAME["answer"], TOOLS, text, ended, opens)
    assert (taken.valid, taken.exact, taken.stopped) == found
