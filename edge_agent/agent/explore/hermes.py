"""The dialect of models that were trained to call tools: their own template carries everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.agent.explore.profile import Profile
from edge_agent.agent.explore.reading import said_answer, stray_calls, tagged_answer
from edge_agent.agent.explore.turn import BACKGROUND, FETCH, PYTHON, SEARCH, Call, Turn
from edge_agent.agent.prompts import prompt
from edge_agent.chat import lenient
from edge_agent.chat.messages import ChatRequest, Completion, Message, ToolSpec
from edge_agent.tools.base import Tool

INVENTED_RESULT = "<tool_response>"  # where a model begins to write the tool's part itself
THOUGHT_CLOSE = "That is enough thinking: now I call a tool or write the answer."
# what models call the tools that they were not told of under that name
OTHER_NAMES = {
    SEARCH: ("search", "web_search", "google_search", "wide_search"),
    FETCH: ("fetch_url", "visit", "fetch", "browse", "open_url"),
    PYTHON: (PYTHON, "python", "python_interpreter", "code_interpreter"),
}


class Hermes:
    """Tools and calls as the model's own chat template writes them; thoughts stay in the window.

    tools: those of the run, by name. The two of every run are announced under the profile's names,
    a python tool where the profile knows it, and all others under their own.
    """

    writes_prose = True

    def __init__(self, profile: Profile, tools: Mapping[str, Tool] | None = None) -> None:
        self._profile = profile
        self._system = prompt(profile.system).format(purpose=profile.purpose)
        self._tools = (*_tool_specs(profile), *_more_tools(profile, tools or {}))
        self._names = {profile.search: SEARCH, profile.fetch: FETCH, profile.python: PYTHON}
        self._known = _by_any_name(self._names, self._tools)

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
            stop=(INVENTED_RESULT,),
            thinking=self._profile.thinking,
            thinking_budget=self._profile.thought_tokens,
            thinking_close=THOUGHT_CLOSE if self._profile.thought_tokens else "",
            priority=BACKGROUND,
            pin=True,
        )

    def read(self, completion: Completion) -> Turn:
        thought, text = completion.thought, completion.text
        calls = self._calls(completion)
        if calls:
            return Turn(thought, text, tuple(calls))
        answer = self._answer(completion)
        if answer:
            return Turn(thought, text, answer=answer)
        return Turn(thought, text, error=f"Error: {self._fault(completion)}")

    def _calls(self, completion: Completion) -> list[Call]:
        """The calls of a turn: those the chat understood, else what can be made of the rest."""
        if completion.tool_calls:
            return [self._call(call.name, call.arguments) for call in completion.tool_calls]
        if tagged_answer(completion.text):
            return []
        stray = stray_calls(completion.text, self._known)
        if not stray and not completion.text.strip():  # a call inside a thought that never ended
            stray = stray_calls(completion.thought, self._known)
        return [self._named(call.name, call.arguments) for call in stray]

    def _call(self, name: str, arguments: str) -> Call:
        try:
            given = lenient.loads(arguments or "{}")
        except ValueError:
            given = {}
        return self._named(name, given if isinstance(given, Mapping) else {})

    def _named(self, name: str, given: Mapping[str, Any]) -> Call:
        """The call under our names for the tool and its arguments."""
        own = self._names.get(name) or _own_name(name)
        if own == FETCH:
            url = given.get(self._profile.url, given.get("url", given.get("urls")))
            purpose = given.get(self._profile.purpose, given.get("purpose", given.get("goal")))
            return Call(own, {"url": url, "purpose": _text(purpose)})
        return Call(own, dict(given))

    def _answer(self, completion: Completion) -> str:
        """What the model gives as its answer, "" when it gives none."""
        text = completion.text.strip()
        found = tagged_answer(text)
        cut = completion.done.reason == "length"
        if found or completion.done.malformed is not None:
            return found
        if not text:  # an answer inside a thought that never ended
            return tagged_answer(completion.thought)
        if self._profile.tags_answers or cut:
            return said_answer(text) if not cut else ""
        return text

    def _fault(self, completion: Completion) -> str:
        """What was wrong with a turn of which nothing can be made."""
        if completion.done.malformed is not None:
            return completion.done.malformed
        if completion.done.reason == "length":
            over = "the thought did not end" if not completion.text.strip() else "it was cut off"
            return f"{over} within the turn's limit. Be brief: call a tool, or answer."
        what = "there was neither a tool call nor an answer" if completion.text else "it was empty"
        return f"{what}. Call a tool, or write the answer between <answer> and </answer>."

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        # a nudge after a turn without calls goes as a tool's answer too: a plain user message would
        # make Qwen3-style templates drop every earlier thought
        ids = [call.id for call in completion.tool_calls] or ["note"]
        if len(ids) != len(texts):  # calls that only we could read have no ids
            ids, texts = ids[:1], ["\n\n".join(texts)]
        return tuple(
            Message("tool", text, tool_call_id=id) for id, text in zip(ids, texts, strict=True)
        )


def _own_name(name: str) -> str:
    others = (own for own, names in OTHER_NAMES.items() if name.casefold() in _folded(names))
    return next(others, name)


def _folded(names: Sequence[str]) -> set[str]:
    return {name.casefold() for name in names}


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")


def _by_any_name(own: Mapping[str, str], tools: Sequence[ToolSpec]) -> dict[str, ToolSpec]:
    """The tools under every name that models give them; `own` are ours by the profile's."""
    known: dict[str, ToolSpec] = {}
    for tool in tools:
        for name in (tool.name, *OTHER_NAMES.get(own.get(tool.name, ""), ())):
            known.setdefault(name, ToolSpec(name, "", tool.parameters))
    return known


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


def _more_tools(profile: Profile, tools: Mapping[str, Tool]) -> tuple[ToolSpec, ...]:
    specs = []
    for name, tool in tools.items():
        if name == PYTHON and profile.python:
            about = (
                "Run Python code. Leave the arguments empty and write the code between <code> and "
                "</code> behind them, inside the call; print what you want to see."
            )
            specs.append(ToolSpec(profile.python, about, {"type": "object", "properties": {}}))
        elif name not in (SEARCH, FETCH, PYTHON):
            specs.append(ToolSpec(name, tool.description, tool.parameters))
    return tuple(specs)
