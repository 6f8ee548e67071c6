"""A model that says what it was told to, and a world of a few pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Event,
    Message,
    Prompt,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import Edit, Edited, GenerateParams, Usage
from edge_agent.errors import ContextOverflow, FetchError, SearchError
from edge_agent.tools.base import Page, SearchHit, Tool
from edge_agent.tools.search.chain import SearchChain
from edge_agent.tools.toolbox import make_tools

T = TypeVar("T")


@dataclass(slots=True)
class Says:
    """One generation: its text, or an error, or seconds of silence before it."""

    text: str = ""
    thought: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    malformed: str | None = None
    length: bool = False
    error: Exception | None = None
    wait_s: float = 0.0


class FakeChat:
    """Implements Chat. Turns and pointings (requests that ask for "facts" or "relevant" numbers)
    are answered apart: turns from the script, pointings with the first number allowed and the next
    of `answers`. The last of each list is said for ever.
    """

    def __init__(
        self, script: Sequence[Says], answers: Sequence[str] = ("the answer",), n_ctx: int = 4000
    ):
        self.script = list(script)
        self.answers = list(answers)
        self.name = "fake"
        self.n_ctx = n_ctx
        self.requests: list[ChatRequest] = []
        self.prompts: list[tuple[int, ...]] = []
        self.rendered: list[str] = []
        self.opened = self.closed = 0
        self.edits: list[Edit] = []
        self._made: dict[int, ChatRequest] = {}

    def count(self, text: str) -> int:
        return len(text.split())

    def prepare(self, request: ChatRequest) -> Prompt:
        return self._prompt((), request.messages, request)

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        return self._prompt(prompt.ids + completion.done.ids, messages, request)

    def _prompt(
        self, ids: tuple[int, ...], messages: tuple[Message, ...], request: ChatRequest
    ) -> Prompt:
        text = " ".join(message.content for message in messages)
        whole = ids + tuple(hash(word) & 0xFFFF for word in text.split())
        if len(whole) >= self.n_ctx:
            raise ContextOverflow(len(whole), self.n_ctx)
        self.requests.append(request)
        self.rendered.append(text)
        self._made[len(self.prompts)] = request
        self.prompts.append(whole)
        params = GenerateParams(max_tokens=request.max_tokens)
        return Prompt(whole, params, stop=(str(len(self.prompts) - 1),))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        request = self._made[int(prompt.stop[0])]
        says = self._next(request)
        self.opened += 1
        try:
            await asyncio.sleep(says.wait_s)
            if says.error is not None:
                raise says.error
            for event in _events(says, len(prompt.ids)):
                yield event
        finally:
            self.closed += 1

    async def complete(self, prompt: Prompt) -> Completion:
        text, thought, calls, done = "", "", list[ToolCall](), Done("stop", Usage())
        async for event in self.stream(prompt):
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Thought):
                thought += event.text
            elif isinstance(event, ToolCall):
                calls.append(event)
            else:
                done = event
        return Completion(text, thought, tuple(calls), done)

    def locate(
        self, prompt: Prompt, texts: Sequence[str], since: int = 0
    ) -> tuple[tuple[int, int] | None, ...]:
        found: list[tuple[int, int] | None] = []
        for text in texts:
            wanted = tuple(hash(word) & 0xFFFF for word in text.split())
            starts = range(since, len(prompt.ids) - len(wanted) + 1) if wanted else range(0)
            at = next((i for i in starts if prompt.ids[i : i + len(wanted)] == wanted), None)
            found.append(None if at is None else (at, at + len(wanted)))
            since = since if at is None else at + len(wanted)
        return tuple(found)

    async def edit(self, edit: Edit) -> Edited:
        self.edits.append(edit)
        return Edited(0, 0)

    async def stop_thinking(self, name: str) -> bool:
        return False

    def _next(self, request: ChatRequest) -> Says:
        properties = dict((request.response_schema or {}).get("properties", {}))
        if "relevant" in properties:
            return Says(json.dumps({"relevant": [1]}))
        if "facts" in properties and "query" not in properties:
            numbers = properties["facts"]["items"]["enum"][:1]
            answer = {"answer": _next(self.answers)} if "answer" in properties else {}
            return Says(json.dumps({"facts": numbers, **answer}))
        return _next(self.script)


def _next(lines: list[T]) -> T:
    return lines.pop(0) if len(lines) > 1 else lines[0]


def _events(says: Says, n_prompt: int) -> list[Event]:
    ids = tuple(hash(word) & 0xFFFF for word in (says.thought + " " + says.text).split()) or (1,)
    usage = Usage(prompt_tokens=n_prompt, completion_tokens=len(ids))
    calls = [
        ToolCall(f"call_{i}", name, json.dumps(arguments))
        for i, (name, arguments) in enumerate(says.calls)
    ]
    reason = "length" if says.length else "tool_calls" if calls else "stop"
    events: list[Event] = []
    events += [Thought(says.thought)] if says.thought else []
    events += [Text(says.text)] if says.text else []
    return [*events, *calls, Done(reason, usage, ids, says.malformed)]  # type: ignore[arg-type]


def search(query: str, thought: str = "I think.") -> Says:
    """A turn of the json dialect."""
    return Says(json.dumps({"facts": [1], "thought": thought, "query": query}))


@dataclass
class World:
    """Pages by URL. Searching finds pages that hold a word of the query, in order."""

    pages: Mapping[str, str]
    search_error: str | None = None
    searched: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "world"

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        self.searched.append(query)
        if self.search_error:
            raise SearchError(self.search_error)
        found = [
            url
            for url, text in self.pages.items()
            if any(word.lower() in text.lower() for word in query.split() if len(word) > 3)
        ]
        return [SearchHit(url, title(url), self.pages[url][:60], "world") for url in found[:limit]]

    async def fetch(self, url: str) -> Page:
        self.read.append(url)
        if url not in self.pages:
            raise FetchError(f"{url} answered 404: take another result.", url, "status")
        return Page(url, title(url), self.pages[url], "text/html", "web", "2026-01-01T00:00:00Z")

    def tools(self) -> dict[str, Tool]:
        return make_tools(SearchChain([self]), self)


def title(url: str) -> str:
    return url.rsplit("/", 1)[-1].title()


HARBOUR = {
    "http://h/bell": "# Bell\n\nThe bell was carried by the smack Thrift. It weighs 210 kilograms.",
    "http://h/thrift": "# Thrift\n\nThe Thrift was built by Ane Pollock in 1871. She was a smack.",
    "http://h/market": "# Market\n\nThe market sells fish and carried goods on Mondays.",
}
