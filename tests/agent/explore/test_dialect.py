from __future__ import annotations

import json

import pytest

from edge_agent.agent.explore.hermes import Hermes
from edge_agent.agent.explore.json_actions import JsonActions
from edge_agent.agent.explore.profile import profile
from edge_agent.chat.messages import Message, ToolCall

from .kit import AGENTCPM, wrote


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


def test_every_reply_is_a_tools_so_that_thoughts_survive() -> None:
    hermes = Hermes(AGENTCPM)
    calls = (ToolCall("a", "search", "{}"), ToolCall("b", "search", "{}"))
    assert hermes.reply(wrote(calls=calls), ["one", "two"]) == (
        Message("tool", "one", tool_call_id="a"),
        Message("tool", "two", tool_call_id="b"),
    )
    assert [m.role for m in hermes.reply(wrote("prose"), ["a nudge"])] == ["tool"]


def test_results_of_calls_that_only_we_could_read_come_in_one_reply() -> None:
    (message,) = Hermes(AGENTCPM).reply(wrote("astray"), ["one", "two"])
    assert (message.role, message.content) == ("tool", "one\n\ntwo")


def test_a_model_must_look_before_it_answers() -> None:
    hermes = Hermes(AGENTCPM)
    assert hermes.request((), 0).tool_choice == "required"
    assert hermes.request((), 3).tool_choice == "auto"


def test_a_model_is_stopped_where_it_would_write_the_tools_part() -> None:
    assert Hermes(AGENTCPM).request((), 0).stop == ("<tool_response>",)
