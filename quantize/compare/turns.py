"""The fixed turns of an agent that every candidate has to take, and how one is scored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.chat.formats import THINK_CLOSE, THINK_OPEN
from edge_agent.chat.messages import Message, ToolCall, ToolSpec
from edge_agent.chat.parser import StreamParser

TURNS = Path(__file__).with_name("turns.json")
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """messages: what came before. call: the tool that is due, "" where an answer is.

    arguments: those that are due. answer: a text that the answer must hold, in lower case.
    """

    name: str
    messages: tuple[Message, ...]
    call: str = ""
    arguments: Mapping[str, Any] | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How a model took a turn. valid: the call that was due, its arguments such as its schema
    allows; or an answer and no call. exact: these very arguments, or this answer.

    stopped: it ended by itself, and closed the thought and the answer that it opened.
    """

    name: str
    valid: bool
    exact: bool
    stopped: bool
    text: str


def read_turns(path: Path = TURNS) -> tuple[tuple[ToolSpec, ...], tuple[AgentTurn, ...]]:
    """The tools and the turns of the set."""
    told = json.loads(path.read_text("utf-8"))
    tools = tuple(ToolSpec(t["name"], t["description"], t["parameters"]) for t in told["tools"])
    system = Message("system", told["system"])
    return tools, tuple(_turn(entry, system) for entry in told["turns"])


def _turn(entry: Mapping[str, Any], system: Message) -> AgentTurn:
    said = tuple(_message(i, message) for i, message in enumerate(entry["messages"]))
    return AgentTurn(
        entry["name"],
        (system, *said),
        entry.get("call", ""),
        entry.get("arguments"),
        entry.get("answer", "").lower(),
    )


def _message(i: int, told: Mapping[str, Any]) -> Message:
    call = told.get("call")
    if call is None:
        id = f"call_{i - 1}" if told["role"] == "tool" else None
        return Message(told["role"], told["content"], tool_call_id=id)
    made = ToolCall(f"call_{i}", call["name"], json.dumps(call["arguments"]))
    return Message("assistant", "", tool_calls=(made,))


def score(
    turn: AgentTurn, tools: Sequence[ToolSpec], text: str, ended: bool, opens_thought: bool
) -> Taken:
    """`text`: all that the model wrote; ended: it stopped by itself."""
    parser = StreamParser(
        {tool.name: tool for tool in tools}, lambda: "call", opens_thought, strict=True
    )
    pieces = [*parser.feed(text), *parser.flush(cut=not ended)]
    calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
    stopped = ended and _closed(text, opens_thought)
    if turn.call:
        valid = len(calls) == 1 and calls[0].name == turn.call
        exact = valid and json.loads(calls[0].arguments) == turn.arguments
        return Taken(turn.name, valid, exact, stopped, text)
    said = text.rpartition(THINK_CLOSE)[2]
    valid = not calls and parser.malformed is None and bool(said.strip())
    return Taken(turn.name, valid, valid and turn.answer in said.lower(), stopped, text)


def _closed(text: str, opens_thought: bool) -> bool:
    thoughts = text.count(THINK_OPEN) + opens_thought == text.count(THINK_CLOSE)
    return thoughts and text.count(ANSWER_OPEN) == text.count(ANSWER_CLOSE)
