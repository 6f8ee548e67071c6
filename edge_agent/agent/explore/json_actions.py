"""The dialect of models whose template or training has no tools: one JSON object a turn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.turn import Call, Turn
from edge_agent.agent.prompts import prompt
from edge_agent.chat.messages import ChatRequest, Completion, Message
from edge_agent.tools.base import Tool

THOUGHT_CHARS = 160
QUERY_CHARS = 80
MOST_FACTS = 4
BACKGROUND = 1


class JsonActions:
    """Every turn is one JSON object with bounded strings: what is known, and what to search next.

    There is no action that answers: see `Profile.checks`. Tools other than search are not offered.
    """

    writes_prose = False

    def __init__(self, profile: Profile, tools: Mapping[str, Tool] | None = None) -> None:
        self._profile = profile
        self._system = prompt(profile.system)

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        text = f"Question: {task}\nFacts:\n{notes or '(none yet)'}"
        return (Message("system", self._system), Message("user", text))

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        return ChatRequest(
            messages,
            response_schema=_search_schema(n_facts),
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
        search = Call("search", {"query": [wrote["query"]]})
        return Turn(wrote["thought"], calls=(search,), facts=tuple(wrote["facts"]))

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
    texts = all(isinstance(wrote.get(key), str) for key in ("thought", "query"))
    facts = wrote.get("facts")
    numbers = isinstance(facts, list) and all(isinstance(each, int) for each in facts)
    return texts and numbers


def _search_schema(n_facts: int) -> dict[str, Any]:
    # pointing at facts before thinking about them keeps a small model's thought on them
    number = {"type": "integer", "minimum": 1, "maximum": max(n_facts, 1)}
    properties = {
        "facts": {"type": "array", "items": number, "maxItems": MOST_FACTS if n_facts else 0},
        "thought": {"type": "string", "maxLength": THOUGHT_CHARS},
        "query": {"type": "string", "minLength": 3, "maxLength": QUERY_CHARS},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
