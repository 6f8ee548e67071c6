"""From the events of a chat to what the client reads: chunks as they come, or one completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from edge_agent.chat.fold import unended
from edge_agent.chat.messages import (
    CallPiece,
    Done,
    Event,
    Progress,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from edge_agent.server.completions.account import (
    progress_timings,
    prompt_progress,
    timings,
    usage,
)
from edge_agent.server.completions.calls import CallDeltas, tool_call
from edge_agent.server.completions.citations import cited_in
from edge_agent.server.completions.head import Head, Wants
from edge_agent.server.completions.logprobs import logprobs

Json = dict[str, Any]


class ChunkMachine:
    """Events in, chunks out; the first event of a choice also brings the chunk that names the role.

    Timings are on the last chunk, as llama-server has them; with `include_usage` that is one more
    chunk, which has no choices. n: how many choices there are.
    """

    def __init__(self, head: Head, wants: Wants, n: int = 1) -> None:
        self._head = head
        self._wants = wants
        self._n = n
        self._calls: dict[int, CallDeltas] = {}  # of each choice that has begun
        self._so_far: dict[int, Json] = {}  # timings
        self._written: dict[int, int] = {}  # characters of content
        self._done: list[Done] = []

    def feed(self, event: Event) -> list[Json]:
        role: Json = {"role": "assistant", "content": None}
        first = [] if event.choice in self._calls else [self._chunk(event.choice, role)]
        calls = self._calls.setdefault(event.choice, CallDeltas())
        if isinstance(event, Done):
            return first + self._last(event)
        if isinstance(event, Progress):
            return first + self._progress(event)
        if isinstance(event, CallPiece | ToolCall):
            return first + self._call(event, calls.feed(event))
        return first + self._piece(event)

    def _call(self, event: CallPiece | ToolCall, deltas: Sequence[Json]) -> list[Json]:
        """A chunk for each delta, the last of them with the tokens; one for tokens alone."""
        told: list[Json] = [{"tool_calls": [delta]} for delta in deltas]
        if not (told or event.logprobs):
            return []
        *before, last = told or [{}]
        chunks = [self._timed(event.choice, delta) for delta in before]
        return [*chunks, self._timed(event.choice, last, logprobs(event.logprobs))]

    def _piece(self, event: Text | Thought) -> list[Json]:
        if not event.text:
            return []
        if isinstance(event, Thought):
            return [self._timed(event.choice, {"reasoning_content": event.text})]
        before = self._written.get(event.choice, 0)
        self._written[event.choice] = before + len(event.text)
        delta = {"content": event.text, **cited_in(event, before)}
        return [self._timed(event.choice, delta, logprobs(event.logprobs))]

    def _progress(self, event: Progress) -> list[Json]:
        if self._wants.timings:
            self._so_far[event.choice] = {"timings": progress_timings(event)}
        if not self._wants.progress or event.usage.completion_tokens:
            return []
        chunk = self._timed(event.choice, {})
        return [{**chunk, "prompt_progress": prompt_progress(event)}]

    def _last(self, done: Done) -> list[Json]:
        self._done.append(done)
        end = self._chunk(done.choice, {}, _malformed(done), done.reason)
        if len(self._done) < self._n:
            return [end]
        ending: Json = {"timings": timings(self._done), **self._wants.verbose}
        if not self._wants.include_usage:
            return [{**end, **ending}]
        return [end, self._head.chunk([], usage=usage(self._done), **ending)]

    def _timed(self, choice: int, delta: Json, more: Json | None = None) -> Json:
        return {**self._chunk(choice, delta, more), **self._so_far.get(choice, {})}

    def _chunk(
        self, index: int, delta: Json, more: Json | None = None, reason: str | None = None
    ) -> Json:
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        return self._head.chunk([{**choice, **(more or {})}])


async def completion(events: AsyncGenerator[Event, None], head: Head, n: int, wants: Wants) -> Json:
    """The fold of the events of `n` choices: one `chat.completion` object. It closes `events`."""
    choices = [_Choice(index) for index in range(n)]
    async with aclosing(events):
        async for event in events:
            choices[event.choice].add(event)
    dones = [choice.done for choice in choices if choice.done]
    if len(dones) < n:
        raise unended()
    told = [choice.json(done) for choice, done in zip(choices, dones, strict=True)]
    more = {"usage": usage(dones), "timings": timings(dones), **wants.verbose}
    return head.completion(told, **more)


class _Choice:
    """Collects what belongs to one choice of a completion."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._cited: list[Json] = []
        self.done: Done | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, Done):
            self.done = event
        elif isinstance(event, ToolCall):
            self._calls.append(event)
            self._logprobs += event.logprobs
        elif isinstance(event, Thought):
            self._thought.append(event.text)
        elif isinstance(event, Text):
            if event.citations:
                before = sum(map(len, self._text))
                self._cited += cited_in(event, before)["annotations"]
            self._text.append(event.text)
            self._logprobs += event.logprobs

    def json(self, done: Done) -> Json:
        message = _message("".join(self._text), "".join(self._thought), self._calls)
        message |= {"annotations": self._cited} if self._cited else {}
        choice = {"index": self._index, "message": message, "finish_reason": done.reason}
        return {**choice, **_malformed(done), **logprobs(self._logprobs)}


def _message(text: str, thought: str, calls: Sequence[ToolCall]) -> Json:
    message: Json = {"role": "assistant", "content": text if text or not calls else None}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [tool_call(call) for call in calls]
    return message


def _malformed(done: Done) -> Json:
    """A call that could not be parsed is told beside the choice, with the text and the reason."""
    return {"malformed_tool_call": done.malformed} if done.malformed else {}
