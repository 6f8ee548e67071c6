from __future__ import annotations

import json

import pytest

from edge_agent.agent.explore.dialect import JsonActions
from edge_agent.agent.explore.profile import profile
from edge_agent.chat.messages import Completion, Done
from edge_agent.engine.params import Usage


def wrote(text: str, length: bool = False) -> Completion:
    return Completion(text, "", (), Done("length" if length else "stop", Usage()))


def test_a_json_turn_is_an_action() -> None:
    text = json.dumps({"facts": [2], "thought": "Hm.", "query": "light"})
    turn = JsonActions(profile("plain")).read(wrote(text))
    assert (turn.thought, turn.facts, turn.error) == ("Hm.", (2,), None)
    assert turn.calls[0].arguments == {"query": ["light"]}


@pytest.mark.parametrize(
    "text",
    [
        "I would search.",
        "[]",
        '{"query": "light"}',
        '{"facts": [2], "thought": "Hm.", "query": ["light"]}',
        '{"facts": ["two"], "thought": "Hm.", "query": "light"}',
    ],
)
def test_a_turn_that_a_server_did_not_hold_to_its_schema_is_told_so(text: str) -> None:
    dialect = JsonActions(profile("plain"))
    turn = dialect.read(wrote(text))
    assert (turn.calls, turn.text) == ((), text)
    assert turn.error and "one JSON object" in turn.error
    assert "cut off" in str(dialect.read(wrote(text[:-1], length=True)).error)
