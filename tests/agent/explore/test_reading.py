from __future__ import annotations

import pytest

from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.explore.reading import said_answer, tagged_answer
from edge_agent.agent.explore.turn import Call
from edge_agent.chat.messages import ToolCall

from .kit import AGENTCPM, QWEN, wrote

HERMES = DIALECTS["hermes"]


@pytest.mark.parametrize(
    "text",
    [
        "<answer>Ane Pollock</answer>",
        "So it was her. <answer>\nAne Pollock\n</answer> That is all.",
        "<answer>Ane Pollock<answer>",
        "<answer>Ane Pollock",
        "<Answer> Ane Pollock </ANSWER>",
        "<answer>Ane Pollock</answer",
        "</answer>Ane Pollock</answer>",
        "<final_answer>Ane Pollock</final_answer>",
        "<final answer>Ane Pollock</final answer>",
        "[answer]Ane Pollock[/answer]",
        "answer>Ane Pollock</answer>",
        "< answer >Ane Pollock</ answer >",
        "It must be\nAne Pollock</answer>",
        "<answer>Bo</answer> No, wait. <answer>Ane Pollock</answer>",
        "<answer></answer><answer>Ane Pollock</answer>",
        "<answer/>Ane Pollock",
    ],
)
def test_every_spelling_of_the_answer_tag_is_read(text: str) -> None:
    assert tagged_answer(text).removesuffix("</answer") == "Ane Pollock"


@pytest.mark.parametrize(
    "text", ["", "I have no answer yet.", "<answer></answer>", "answers > all"]
)
def test_text_without_an_answer_has_none(text: str) -> None:
    assert tagged_answer(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        r"It is \boxed{Ane Pollock}.",
        "**Final Answer:** Ane Pollock",
        "The final answer is Ane Pollock",
        "Final answer: **Ane Pollock**",
    ],
)
def test_an_answer_that_calls_itself_final_is_read(text: str) -> None:
    assert said_answer(text) == "Ane Pollock"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (
            'I search.\n{"name": "search", "arguments": {"query": ["bell"]}}',
            Call("search", {"query": ["bell"]}),
        ),
        (
            'I search.\n{{"name": "search", "arguments": {{"query": "bell"}}}}',
            Call("search", {"query": ["bell"]}),
        ),
        (
            'Then:\n```json\n{"name": "visit", "arguments": {"url": "u", "goal": "g"}}\n```',
            Call("fetch_url", {"url": ["u"], "purpose": "g"}),
        ),
        (
            '<tool_call>{"name": "fetch_url", "arguments": {"url": ["u"], "goal": "g"}}',
            Call("fetch_url", {"url": ["u"], "purpose": "g"}),
        ),
        (
            '<tool_call>{"name": "web_search", "arguments": {"queries": ["a", "b"]}}</tool_call>',
            Call("search", {"query": ["a", "b"]}),
        ),
        (
            "{'tool': 'search', 'parameters': {'query': 'bell'}}",
            Call("search", {"query": ["bell"]}),
        ),
    ],
)
@pytest.mark.parametrize("name", ["agentcpm", "dr-venus", "tongyi", "litresearcher", "qwen"])
def test_a_call_that_went_astray_is_read(name: str, text: str, call: Call) -> None:
    turn = HERMES(PROFILES[name]).read(wrote(text, malformed="it was not understood"))
    assert turn.calls == (call,)
    assert turn.error is None


def test_a_call_inside_a_thought_that_never_ended_is_read() -> None:
    thought = 'I need it.\n<tool_call>\n{"name": "search", "arguments": {"query": ["bell"]}}'
    turn = HERMES(AGENTCPM).read(wrote(thought=thought))
    assert turn.calls == (Call("search", {"query": ["bell"]}),)


def test_an_answer_inside_a_thought_that_never_ended_is_read() -> None:
    assert HERMES(AGENTCPM).read(wrote(thought="So: <answer>Ane</answer>")).answer == "Ane"


def test_a_call_thought_about_and_not_made_is_no_call() -> None:
    thought = 'I could write {"name": "search", "arguments": {"query": ["bell"]}} but I know.'
    turn = HERMES(AGENTCPM).read(wrote("<answer>Ane</answer>", thought))
    assert (turn.calls, turn.answer) == ((), "Ane")


@pytest.mark.parametrize(
    ("given", "call"),
    [
        (ToolCall("1", "visit", '{"url": "u", "goal": ["a", "b"]}'), ("fetch_url", "a b")),
        (ToolCall("1", "fetch_url", '{"url": ["u"]}'), ("fetch_url", "")),
        (ToolCall("1", "FETCH_URL", '{{"url": ["u"], "purpose": "p"}}'), ("fetch_url", "p")),
    ],
)
def test_a_servers_calls_are_read_under_any_name(given: ToolCall, call: tuple[str, str]) -> None:
    turn = HERMES(AGENTCPM).read(wrote(calls=(given,)))
    assert (turn.calls[0].tool, turn.calls[0].arguments["purpose"]) == call


@pytest.mark.parametrize(
    ("completion", "fault"),
    [
        (wrote(), "it was empty"),
        (wrote("I will search for the bell."), "neither a tool call nor an answer"),
        (wrote(thought="On and on", length=True), "thought did not end"),
        (wrote("On and on", length=True), "cut off"),
        (wrote("{bad", malformed="The tool call is not valid JSON."), "not valid JSON"),
    ],
)
def test_what_the_model_can_mend_is_said_to_it(completion: object, fault: str) -> None:
    turn = HERMES(AGENTCPM).read(completion)  # type: ignore[arg-type]
    assert turn.error is not None
    assert fault in turn.error
    assert len(turn.error) < 200


def test_a_model_that_was_not_trained_on_tags_may_answer_without() -> None:
    assert HERMES(QWEN).read(wrote("Ane Pollock")).answer == "Ane Pollock"
    assert HERMES(AGENTCPM).read(wrote("Ane Pollock")).error
