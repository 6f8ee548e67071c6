"""The dialect of models whose template or training has no tools: one JSON object a turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.turn import BACKGROUND, FETCH, PYTHON, SEARCH, Call, Turn
from edge_agent.agent.prompts import prompt
from edge_agent.chat.messages import ChatRequest, Completion, Message
from edge_agent.tools.base import Tool

THOUGHT_CHARS = 160
QUERY_CHARS = 80
TEXT_CHARS = 200  # of an argument of a tool
ABOUT_CHARS = 160  # of what a tool says of itself
MOST_FACTS = 4
DONE_ANYHOW = (SEARCH, FETCH, PYTHON)  # or never: these are not offered as tools


class JsonActions:
    """Every turn is one JSON object with bounded strings: what is known, and what to search next.

    There is no action that answers: see `Profile.checks`. A tool of another kind can be called in
    place of a search; reading is done without asking.
    """

    writes_prose = False

    def __init__(self, profile: Profile, tools: Mapping[str, Tool] | None = None) -> None:
        self._profile = profile
        given = (tools or {}).values()
        self._others = tuple(tool for tool in given if tool.name not in DONE_ANYHOW)
        self._system = "\n\n".join([prompt(profile.system), *_told(self._others)])

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        text = f"Question: {task}\nFacts:\n{notes or '(none yet)'}"
        return (Message("system", self._system), Message("user", text))

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        return ChatRequest(
            messages,
            response_schema=_schema(n_facts, self._others),
            sampling=self._profile.sampling,
            max_tokens=self._profile.turn_tokens,
            thinking=self._profile.thinking,
            priority=BACKGROUND,
            pin=True,
        )

    def read(self, completion: Completion) -> Turn:
        try:
            wrote = json.loads(completion.text)
        except ValueError:
            return Turn(text=completion.text, error=self._unread(completion))
        if not _is_action(wrote):  # a server elsewhere may not have held the model to the schema
            return Turn(text=completion.text, error=self._unread(completion))
        return Turn(wrote["thought"], calls=(_call(wrote),), facts=tuple(wrote["facts"]))

    @staticmethod
    def _unread(completion: Completion) -> str:
        if completion.done.reason == "length":
            return "Error: the turn was cut off. Be brief."
        return 'Error: write one JSON object with "facts", "thought" and "query", nothing else.'

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        return (Message("user", "\n\n".join(["More facts:", *texts])),)


def _is_action(wrote: Any) -> bool:
    if not isinstance(wrote, dict):
        return False
    said = "tool" if isinstance(wrote.get("arguments"), dict) else "query"
    texts = all(isinstance(wrote.get(key), str) for key in ("thought", said))
    facts = wrote.get("facts")
    numbers = isinstance(facts, list) and all(isinstance(each, int) for each in facts)
    return texts and numbers


def _call(wrote: Mapping[str, Any]) -> Call:
    if isinstance(wrote.get("arguments"), dict):
        return Call(wrote["tool"], wrote["arguments"])
    return Call(SEARCH, {"query": [wrote["query"]]})


def _told(others: Sequence[Tool]) -> Iterator[str]:
    """What the model reads of the tools beside search."""
    if others:
        yield 'In place of "query" you may write "tool" and "arguments", to call one of these:'
        yield "\n".join(_line(tool) for tool in others)


def _line(tool: Tool) -> str:
    names = ", ".join(tool.parameters.get("properties") or {})
    return f"- {tool.name}({names}): {' '.join(tool.description.split())[:ABOUT_CHARS]}"


def _schema(n_facts: int, others: Sequence[Tool]) -> dict[str, Any]:
    search = _search_schema(n_facts)
    if not others:
        return search
    head = {key: search["properties"][key] for key in ("facts", "thought")}
    calls = [
        _closed({**head, "tool": {"const": tool.name}, "arguments": _bounded(tool.parameters)})
        for tool in others
    ]
    return {"anyOf": [search, *calls]}


def _bounded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's schema with an end to its texts: a small model may not find one itself."""
    given = parameters.get("properties") or {}
    properties = {
        name: {"maxLength": TEXT_CHARS, **schema} if schema.get("type") == "string" else schema
        for name, schema in given.items()
        if isinstance(schema, dict)
    }
    return {"type": "object", **parameters, "properties": properties}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _search_schema(n_facts: int) -> dict[str, Any]:
    # pointing at facts before thinking about them keeps a small model's thought on them
    number = {"type": "integer", "minimum": 1, "maximum": max(n_facts, 1)}
    properties = {
        "facts": {"type": "array", "items": number, "maxItems": MOST_FACTS if n_facts else 0},
        "thought": {"type": "string", "maxLength": THOUGHT_CHARS},
        "query": {"type": "string", "minLength": 3, "maxLength": QUERY_CHARS},
    }
    return _closed(properties)
