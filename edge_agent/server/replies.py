"""From the events of a chat to what the client reads: chunks as they come, or one completion."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from edge_agent.chat.messages import Done, Event, Text, Thought, ToolCall
from edge_agent.engine.params import Usage
from edge_agent.errors import EngineError

Json = dict[str, Any]


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
    """Events in, chunks out; the first event also brings the chunk that names the role.

    Timings are on the last chunk, as llama-server has them; with `include_usage` that is one more
    chunk, which has no choices.
    """

    def __init__(self, head: Head, include_usage: bool) -> None:
        self._head = head
        self._include_usage = include_usage
        self._started = False
        self._calls = 0

    def feed(self, event: Event) -> list[Json]:
        first = [] if self._started else [self._delta({"role": "assistant", "content": None})]
        self._started = True
        return first + (self._last(event) if isinstance(event, Done) else self._piece(event))

    def _piece(self, event: Text | Thought | ToolCall) -> list[Json]:
        if isinstance(event, ToolCall):
            self._calls += 1
            return [self._delta({"tool_calls": [tool_call(event, self._calls - 1)]})]
        key = "content" if isinstance(event, Text) else "reasoning_content"
        return [self._delta({key: event.text})] if event.text else []

    def _last(self, done: Done) -> list[Json]:
        ending: Json = {"timings": timings(done.usage)}
        if not self._include_usage:
            return [self._delta({}, done, **ending)]
        ending["usage"] = usage(done.usage)
        return [self._delta({}, done), self._head.chunk([], **ending)]

    def _delta(self, delta: Json, done: Done | None = None, **more: Any) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": done.reason if done else None}
        return self._head.chunk([{**choice, **(_malformed(done) if done else {})}], **more)


async def chunks(
    events: AsyncGenerator[Event, None], machine: ChunkMachine
) -> AsyncGenerator[Json, None]:
    """The chunks of a chat; closing it closes `events`."""
    async with aclosing(events):
        async for event in events:
            for chunk in machine.feed(event):
                yield chunk


async def completion(events: AsyncGenerator[Event, None], head: Head) -> Json:
    """The fold of the events: one `chat.completion` object. It closes `events`."""
    text: list[str] = []
    thought: list[str] = []
    calls: list[ToolCall] = []
    async with aclosing(events):
        done = await _collect(events, text, thought, calls)
    message = _message("".join(text), "".join(thought), calls)
    choice = {"index": 0, "message": message, "finish_reason": done.reason, **_malformed(done)}
    return head.completion([choice], usage=usage(done.usage), timings=timings(done.usage))


async def _collect(
    events: AsyncIterator[Event], text: list[str], thought: list[str], calls: list[ToolCall]
) -> Done:
    async for event in events:
        if isinstance(event, Done):
            return event
        if isinstance(event, ToolCall):
            calls.append(event)
        else:
            (text if isinstance(event, Text) else thought).append(event.text)
    raise EngineError("The generation ended without saying why; send the request again.")


def _message(text: str, thought: str, calls: list[ToolCall]) -> Json:
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


def usage(used: Usage) -> Json:
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
    }


def timings(used: Usage) -> Json:
    """llama-server's timings: prompt_n counts the prompt tokens that were computed."""
    computed = used.prompt_tokens - used.cached_tokens
    return {
        "cache_n": used.cached_tokens,
        **_rates("prompt", computed, used.prompt_s),
        **_rates("predicted", used.completion_tokens, used.predict_s),
    }


def _rates(what: str, tokens: int, seconds: float) -> Json:
    return {
        f"{what}_n": tokens,
        f"{what}_ms": round(seconds * 1000, 3),
        f"{what}_per_token_ms": round(seconds * 1000 / tokens, 3) if tokens else 0.0,
        f"{what}_per_second": round(tokens / seconds, 3) if seconds > 0 else 0.0,
    }
