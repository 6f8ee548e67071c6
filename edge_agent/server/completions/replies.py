"""From the events of a chat to what the client reads: chunks as they come, or one completion."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from edge_agent.chat.messages import Done, Event, Text, Thought, TokenLogprob, ToolCall
from edge_agent.errors import EngineError
from edge_agent.server.completions.account import timings, usage

Json = dict[str, Any]
LEAST = -9999.0  # OpenAI's logarithm of a probability too small to tell; JSON has no infinity


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of one completion has in common; `created` is Unix time in seconds."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, choices: list[Json], **more: Any) -> Json:
        return self._object("chat.completion.chunk", choices, more)

    def completion(self, choices: list[Json], **more: Any) -> Json:
        return self._object("chat.completion", choices, more)

    def _object(self, kind: str, choices: list[Json], more: Json) -> Json:
        common = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**common, "choices": choices, **more}


class ChunkMachine:
    """Events in, chunks out; the first event of a choice also brings the chunk that names the role.

    Timings are on the last chunk, as llama-server has them; with `include_usage` that is one more
    chunk, which has no choices. n: how many choices there are.
    """

    def __init__(self, head: Head, include_usage: bool, n: int = 1) -> None:
        self._head = head
        self._include_usage = include_usage
        self._n = n
        self._calls: dict[int, int] = {}  # how many each choice that has begun has made
        self._done: list[Done] = []

    def feed(self, event: Event) -> list[Json]:
        role: Json = {"role": "assistant", "content": None}
        first = [] if event.choice in self._calls else [self._delta(event, role)]
        self._calls.setdefault(event.choice, 0)
        return first + (self._last(event) if isinstance(event, Done) else self._piece(event))

    def _piece(self, event: Text | Thought | ToolCall) -> list[Json]:
        if isinstance(event, ToolCall):
            call = tool_call(event, self._calls[event.choice])
            self._calls[event.choice] += 1
            return [self._delta(event, {"tool_calls": [call]})]
        key = "content" if isinstance(event, Text) else "reasoning_content"
        return [self._delta(event, {key: event.text})] if event.text else []

    def _last(self, done: Done) -> list[Json]:
        self._done.append(done)
        if len(self._done) < self._n:
            return [self._delta(done, {})]
        ending: Json = {"timings": timings(self._done)}
        if not self._include_usage:
            return [self._delta(done, {}, **ending)]
        ending["usage"] = usage(self._done)
        return [self._delta(done, {}), self._head.chunk([], **ending)]

    def _delta(self, event: Event, delta: Json, **more: Any) -> Json:
        reason = event.reason if isinstance(event, Done) else None
        choice = {"index": event.choice, "delta": delta, "finish_reason": reason}
        if isinstance(event, Done):
            choice |= _malformed(event)
        if isinstance(event, Text) and "content" in delta and delta["content"]:
            choice |= _logprobs(event.logprobs)
        return self._head.chunk([choice], **more)


async def chunks(
    events: AsyncGenerator[Event, None], machine: ChunkMachine
) -> AsyncGenerator[Json, None]:
    """The chunks of a chat; closing it closes `events`."""
    async with aclosing(events):
        async for event in events:
            for chunk in machine.feed(event):
                yield chunk


async def completion(events: AsyncGenerator[Event, None], head: Head, n: int = 1) -> Json:
    """The fold of the events of `n` choices: one `chat.completion` object. It closes `events`."""
    choices = [_Choice(index) for index in range(n)]
    async with aclosing(events):
        async for event in events:
            choices[event.choice].add(event)
    dones = [choice.done for choice in choices if choice.done]
    if len(dones) < n:
        raise EngineError("The generation ended without saying why; send the request again.")
    told = [choice.json(done) for choice, done in zip(choices, dones, strict=True)]
    return head.completion(told, usage=usage(dones), timings=timings(dones))


class _Choice:
    """Collects what belongs to one choice of a completion."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self.done: Done | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, Done):
            self.done = event
        elif isinstance(event, ToolCall):
            self._calls.append(event)
        elif isinstance(event, Thought):
            self._thought.append(event.text)
        else:
            self._text.append(event.text)
            self._logprobs += event.logprobs

    def json(self, done: Done) -> Json:
        message = _message("".join(self._text), "".join(self._thought), self._calls)
        choice = {"index": self._index, "message": message, "finish_reason": done.reason}
        return {**choice, **_malformed(done), **_logprobs(self._logprobs)}


def _message(text: str, thought: str, calls: Sequence[ToolCall]) -> Json:
    message: Json = {"role": "assistant", "content": text if text or not calls else None}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [tool_call(call) for call in calls]
    return message


def tool_call(call: ToolCall, index: int | None = None) -> Json:
    """A call on the wire; `index` is its place among a stream's deltas."""
    function = {"name": call.name, "arguments": call.arguments}
    place = {} if index is None else {"index": index}
    return {**place, "id": call.id, "type": "function", "function": function}


def _malformed(done: Done) -> Json:
    """A call that could not be parsed is told beside the choice, with the text and the reason."""
    return {"malformed_tool_call": done.malformed} if done.malformed else {}


def _logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    """OpenAI's shape, for those who asked."""
    content = [{**_token(t), "top_logprobs": [_token(each) for each in t.top]} for t in tokens]
    return {"logprobs": {"content": content, "refusal": None}} if content else {}


def _token(token: TokenLogprob) -> Json:
    """`token` is text, so half a character shows as U+FFFD there; `bytes` is exact."""
    return {
        "token": token.bytes.decode("utf-8", "replace"),
        "logprob": max(token.logprob, LEAST),
        "bytes": list(token.bytes),
    }
