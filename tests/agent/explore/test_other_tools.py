"""Tools of MCP servers and Python in the agent's hands."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from edge_agent.agent.explore.json_actions import JsonActions
from edge_agent.agent.explore.profile import profile
from edge_agent.agent.records import Limits, NoteTaken
from edge_agent.agent.runs.schemas import honoured, loose
from edge_agent.chat.messages import ChatRequest, Prompt
from edge_agent.errors import GrammarError
from edge_agent.tools.base import Tool
from edge_agent.tools.mcp.approval import NOBODY
from edge_agent.tools.mcp.tool import McpTool
from tests.tools.mcp.fakes import PRICE, FakeLink

from ..fakes import FakeChat, Says
from .kit import PLAIN, Kit, Watched, answers, wrote

SAID = "The brass lamp of Ane Pollock costs 3 crowns. It hangs in the harbour office."


def mcp_tool(link: FakeLink | None = None, approval: Any = "allow") -> McpTool:
    return McpTool.over("shop", PRICE, link or FakeLink(says=SAID), approval, NOBODY)


def calls(tool: str, **arguments: Any) -> Says:
    return Says(calls=((tool, arguments),))


async def test_what_a_tool_says_is_noted_quoted_and_cited_like_a_page() -> None:
    link = FakeLink(says=SAID)
    tool = mcp_tool(link)
    chat = Watched(calls("shop_price", article="lamp"), answers("3 crowns"))
    kit = Kit(chat, more_tools={tool.name: tool}, task="What does the brass lamp cost?")
    ending = await kit.explorer.explore()
    assert link.called == [("price", {"article": "lamp"})]
    (noted,) = kit.told(NoteTaken)
    assert isinstance(noted, NoteTaken) and "[1] The brass lamp" in noted.note.text
    answer = await kit.explorer.answer(ending)
    assert answer.text == "3 crowns"
    (cited,) = {citation.url for citation in answer.citations}
    assert cited == "mcp://shop/price?article=lamp"
    assert answer.citations[0].quote in SAID and answer.citations[0].source == "mcp:shop"


async def test_its_schema_holds_the_calls_of_a_model_that_calls_tools() -> None:
    tool = mcp_tool()
    chat = Watched(answers("3 crowns"))
    await Kit(chat, more_tools={tool.name: tool}, limits=Limits(steps=1)).explorer.explore()
    told = {spec.name: spec for spec in chat.requests[0].tools}
    assert told["shop_price"].parameters == PRICE.parameters
    assert told["shop_price"].description == PRICE.description


async def test_a_refused_call_is_something_to_read_and_the_run_goes_on() -> None:
    tool = mcp_tool(approval="ask")
    chat = Watched(calls("shop_price", article="lamp"), answers("3 crowns"))
    kit = Kit(chat, more_tools={tool.name: tool})
    ending = await kit.explorer.explore()
    assert ending.reason == "answered"
    action = kit.steps[0].actions[0]
    assert action.error and "nobody has allowed it" in action.error


async def test_a_model_of_json_actions_calls_it_too() -> None:
    link = FakeLink(says=SAID)
    tool = mcp_tool(link)
    turn = {"facts": [], "thought": "Ask.", "tool": "shop_price", "arguments": {"article": "lamp"}}
    chat = Watched(Says(json.dumps(turn)), answers=("not found", "3 crowns"))
    kit = Kit(chat, profile=PLAIN, more_tools={tool.name: tool}, limits=Limits(steps=3))
    await kit.explorer.explore()
    assert link.called and link.called[0] == ("price", {"article": "lamp"})
    assert any("brass lamp" in fact.passage.text for fact in kit.explorer.evidence)


def test_a_json_turn_searches_or_calls_one_of_the_tools() -> None:
    python = Tool("PythonInterpreter", "", {}, FakeLink().call)
    own = Tool("search", "", {}, FakeLink().call)
    tool = mcp_tool()
    dialect = JsonActions(profile("plain"), {"search": own, "p": python, tool.name: tool})
    request = dialect.request(dialect.opening("Who?", ""), 2)
    assert "shop_price(article): What an article costs." in request.messages[0].content
    schema = request.response_schema
    assert schema is not None
    head = {"facts": [1], "thought": "x"}
    good = [
        {**head, "query": "lamp"},
        {**head, "tool": "shop_price", "arguments": {"article": "lamp"}},
    ]
    bad = [
        {**head, "tool": "PythonInterpreter", "arguments": {}},
        {**head, "tool": "shop_price", "arguments": {}},
        {**head, "tool": "shop_price", "arguments": {"article": "x" * 201}},
    ]
    for turn in good:
        jsonschema.validate(turn, schema)
        assert dialect.read(wrote(json.dumps(turn))).error is None
    for turn in bad:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(turn, schema)


def test_without_other_tools_nothing_is_asked_differently() -> None:
    bare = JsonActions(profile("plain")).request((), 1)
    assert bare.response_schema is not None and "anyOf" not in bare.response_schema
    assert "tool" not in JsonActions(profile("plain")).opening("Who?", "")[0].content.split()


class Strict(FakeChat):
    """Refuses every schema that speaks of patterns."""

    def prepare(self, request: ChatRequest) -> Prompt:
        if "pattern" in json.dumps([dict(tool.parameters) for tool in request.tools]):
            raise GrammarError("The schema cannot be honoured.", "tools")
        return super().prepare(request)


def test_a_schema_that_calls_cannot_be_held_to_is_loosened_and_told() -> None:
    odd = {"type": "object", "properties": {"a": {"pattern": "("}, "b": {}}, "required": ["a"]}
    plain = mcp_tool()
    strange = Tool("strange", "", odd, FakeLink().call)
    told: list[str] = []
    made = honoured(Strict([]), {"plain": plain, "strange": strange}, told.append)
    assert made["plain"] is plain
    assert made["strange"].parameters == {
        "type": "object",
        "properties": {"a": {}, "b": {}},
        "required": ["a"],
    }
    assert len(told) == 1 and "strange" in told[0]
    assert loose({"properties": [], "required": "a"})["properties"] == {}


async def test_the_same_call_twice_in_a_turn_is_made_once() -> None:
    link = FakeLink(says=SAID)
    tool = mcp_tool(link)
    lamp, bell = ("shop_price", {"article": "lamp"}), ("shop_price", {"article": "bell"})
    kit = Kit(Watched(Says(calls=(lamp, bell, lamp)), answers("3")), more_tools={tool.name: tool})
    await kit.explorer.explore()
    assert [arguments for _, arguments in link.called] == [{"article": "lamp"}, {"article": "bell"}]
    assert [action.repeated for action in kit.steps[0].actions] == [False, False, True]
