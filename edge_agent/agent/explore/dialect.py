"""How a model is asked for its next action, and how what it wrote becomes one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_agent.agent.explore.actions import Call
from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.prompts import prompt
from edge_agent.chat.messages import ChatRequest, Completion, Message, ToolSpec

THOUGHT_CHARS = 160
QUERY_CHARS = 80
MOST_FACTS = 4
BACKGROUND = 1
ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|<answer>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model decided. error: a sentence for the model when nothing can be made of it.

    facts: numbers it pointed at. answer: its own words for it, when it has written them.
    """

    thought: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    facts: tuple[int, ...] = ()
    answer: str = ""
    error: str | None = None


class Dialect(Protocol):
    """One way to hold the conversation of a run.

    writes_prose: what the model writes is for a reader; else it is JSON, and only its thought is.
    """

    writes_prose: bool

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        """The first messages; `notes` is what is known already, or ""."""
        ...

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        """The request for the next turn, when the run has `n_facts` facts."""
        ...

    def read(self, completion: Completion) -> Turn: ...

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        """The messages that carry what came of a turn's calls, one text a call."""
        ...


class Hermes:
    """Tools and calls as the model's own chat template writes them; thoughts stay in the window."""

    writes_prose = True

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._system = prompt(profile.system)
        self._tools = _tool_specs(profile)
        self._names = {profile.search: "search", profile.fetch: "fetch_url"}

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        known = f"\n\nFacts found so far:\n{notes}" if notes else ""
        return (Message("system", self._system), Message("user", task + known))

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        return ChatRequest(
            messages,
            tools=self._tools,
            tool_choice="auto" if n_facts else "required",
            sampling=self._profile.sampling,
            max_tokens=self._profile.turn_tokens,
            thinking=self._profile.thinking,
            priority=BACKGROUND,
            pin=True,
        )

    def read(self, completion: Completion) -> Turn:
        calls = [self._call(call.name, call.arguments) for call in completion.tool_calls]
        if calls:
            return Turn(completion.thought, completion.text, tuple(calls))
        malformed = completion.done.malformed
        if malformed is not None:
            return Turn(completion.thought, completion.text, error=f"Error: {malformed}")
        found = ANSWER.findall(completion.text)
        answer = (found[-1] if found else completion.text).strip()
        if not answer or (completion.done.reason == "length" and not found):
            return Turn(completion.thought, completion.text, error=self._nothing(completion))
        return Turn(completion.thought, completion.text, answer=answer)

    def _call(self, name: str, arguments: str) -> Call:
        given: Mapping[str, Any] = json.loads(arguments)
        if name == self._profile.fetch:
            purpose = given.get(self._profile.purpose)
            given = {"url": given.get(self._profile.url), "purpose": purpose}
        return Call(self._names.get(name, name), given)

    @staticmethod
    def _nothing(completion: Completion) -> str:
        if completion.done.reason == "length":
            return "Error: the turn was cut off at its limit. Be brief: call a tool, or answer."
        return "Error: nothing was written. Call a tool, or answer between <answer> and </answer>."

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        # a nudge after a turn without calls goes as a tool's answer too: a plain user message would
        # make Qwen3-style templates drop every earlier thought
        ids = [call.id for call in completion.tool_calls] or ["note"]
        return tuple(
            Message("tool", text, tool_call_id=id) for id, text in zip(ids, texts, strict=False)
        )


class JsonActions:
    """Every turn is one JSON object with bounded strings: what is known, and what to search next.

    There is no action that answers: see `Profile.checks`.
    """

    writes_prose = False

    def __init__(self, profile: Profile) -> None:
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


def _tool_specs(profile: Profile) -> tuple[ToolSpec, ...]:
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
    search = {"type": "object", "properties": {"query": texts}, "required": ["query"]}
    fetch = {
        "type": "object",
        "properties": {profile.url: texts, profile.purpose: {"type": "string"}},
        "required": [profile.url, profile.purpose],
    }
    about_search = "Search with up to three queries; returns titles and URLs."
    about_fetch = "Read up to three pages by URL; returns notes on them."
    return (
        ToolSpec(profile.search, about_search, search),
        ToolSpec(profile.fetch, about_fetch, fetch),
    )


DIALECTS: dict[str, type[Hermes] | type[JsonActions]] = {"hermes": Hermes, "json": JsonActions}
