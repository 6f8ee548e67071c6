"""From the events of a chat to Anthropic's: as they come, or folded into one message."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from edge_agent.chat.fold import unended
from edge_agent.chat.messages import (
    CallPiece,
    Done,
    Event,
    Progress,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import Usage
from edge_agent.server.messages.citations import blocks_of, citation
from edge_agent.server.streaming import fed

Json = dict[str, Any]
Kind = Literal["text", "thinking", "tool_use"]
PIECE = 64  # characters of JSON in one delta of a call that is told only when it is complete
STOP_REASONS: Mapping[str, str] = MappingProxyType(
    {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
)
PING: Json = {"type": "ping"}
# A thought is sent back as it came and believed: there is nothing to sign.
SIGNATURE: Json = {"type": "signature_delta", "signature": ""}


@dataclass(frozen=True, slots=True)
class Head:
    """What a message is before anything of it was written. n_prompt: tokens of its prompt."""

    model: str
    n_prompt: int = 0
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")

    def message(self, used: Usage) -> Json:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(used),
        }


def usage(used: Usage, thought_tokens: int = 0) -> Json:
    """Anthropic's usage object: the input is what was computed, the cached tokens stand beside."""
    return {
        "input_tokens": used.prompt_tokens - used.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": used.cached_tokens,
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"thinking_tokens": thought_tokens},
    }


class EventMachine:
    """Events of a chat in, Anthropic's events out; blocks are numbered and never overlap.

    shows_thoughts: False leaves the thinking blocks empty, as `display` "omitted" asks.
    """

    def __init__(self, head: Head, shows_thoughts: bool = True) -> None:
        self._head = head
        self._shows_thoughts = shows_thoughts
        self._begun = False
        self._open: Kind | None = None
        self._index = -1  # of the block that was begun last
        self._call = ""  # id of the call that was begun last

    def feed(self, event: Event) -> list[Json]:
        return self._start(event) + self._read(event)

    def _start(self, event: Event) -> list[Json]:
        if self._begun:
            return []
        self._begun = True
        used = event.usage if isinstance(event, Progress) else Usage(self._head.n_prompt)
        return [{"type": "message_start", "message": self._head.message(used)}, PING]

    def _read(self, event: Event) -> list[Json]:
        if isinstance(event, Text):
            return self._cited(event) if event.citations else self._written(event.text)
        if isinstance(event, Thought):
            return self._piece("thinking", {"type": "thinking_delta", "thinking": event.text})
        if isinstance(event, CallPiece):
            return self._call_piece(event)
        if isinstance(event, ToolCall):
            return self._whole_call(event)
        return self._end(event) if isinstance(event, Done) else []

    def _written(self, text: str) -> list[Json]:
        return self._piece("text", {"type": "text_delta", "text": text})

    def _cited(self, text: Text) -> list[Json]:
        """A claim with proof is a block of its own."""
        told: list[Json] = []
        for piece, cited in blocks_of(text):
            if not cited:
                told += self._written(piece)
                continue
            told += [*self._close(), *self._written(piece)]
            deltas = ({"type": "citations_delta", "citation": citation(each)} for each in cited)
            told += map(self._delta, deltas)
            told += self._close()
        return told

    def _piece(self, kind: Kind, delta: Json) -> list[Json]:
        if not delta[kind]:
            return []
        opened = [] if self._open == kind else self._begin(kind, {kind: ""})
        hidden = kind == "thinking" and not self._shows_thoughts
        return opened + ([] if hidden else [self._delta(delta)])

    def _call_piece(self, piece: CallPiece) -> list[Json]:
        begun = [] if piece.id == self._call else self._begin_call(piece.id, piece.name)
        return begun + self._arguments(piece.arguments)

    def _whole_call(self, call: ToolCall) -> list[Json]:
        if call.id == self._call:  # it was told in pieces
            return self._close()
        return [
            *self._begin_call(call.id, call.name),
            *self._arguments(call.arguments),
            *self._close(),
        ]

    def _begin_call(self, id: str, name: str) -> list[Json]:
        self._call = id
        return self._begin("tool_use", {"id": id, "name": name, "input": {}})

    def _arguments(self, text: str) -> list[Json]:
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        return [self._delta({"type": "input_json_delta", "partial_json": p}) for p in pieces]

    def _begin(self, kind: Kind, block: Json) -> list[Json]:
        closed = self._close()
        self._open, self._index = kind, self._index + 1
        signed = {"signature": ""} if kind == "thinking" else {}
        content = {"type": kind, **block, **signed}
        start = {"type": "content_block_start", "index": self._index, "content_block": content}
        return [*closed, start]

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> list[Json]:
        if self._open is None:
            return []
        signed = [self._delta(SIGNATURE)] if self._open == "thinking" else []
        self._open = None
        return [*signed, {"type": "content_block_stop", "index": self._index}]

    def _end(self, done: Done) -> list[Json]:
        # a message without blocks is one of no text: clients read content[0]
        empty = self._begin("text", {"text": ""}) if self._index < 0 else []
        stop = done.stop if done.reason == "stop" else None
        reason = STOP_REASONS[done.reason] if stop is None else "stop_sequence"
        delta = {"stop_reason": reason, "stop_sequence": stop}
        counted = usage(done.usage, done.thought_tokens)
        return [
            *empty,
            *self._close(),
            {"type": "message_delta", "delta": delta, "usage": counted},
            {"type": "message_stop"},
        ]


async def message(events: AsyncGenerator[Event, None], machine: EventMachine) -> Json:
    """The fold of what the machine tells: one message. It closes `events`."""
    whole: Json = {}
    async for reply in fed(events, machine.feed):
        whole = folded(whole, reply)
    if whole.get("stop_reason") is None:
        raise unended()
    return whole


def folded(whole: Json, reply: Json) -> Json:
    """The message so far with one more event in it; `whole` itself is changed."""
    kind = reply["type"]
    if kind == "message_start":
        return dict(reply["message"], content=[])
    if kind == "content_block_start":
        whole["content"].append(dict(reply["content_block"]))
    elif kind == "content_block_delta":
        _add(whole["content"][reply["index"]], reply["delta"])
    elif kind == "content_block_stop":
        _complete(whole["content"][reply["index"]])
    elif kind == "message_delta":
        whole |= {**reply["delta"], "usage": reply["usage"]}
    return whole


def _add(block: Json, delta: Json) -> None:
    if delta["type"] == "input_json_delta":
        block["partial"] = block.get("partial", "") + delta["partial_json"]
    elif delta["type"] == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
    else:
        key = delta["type"].removesuffix("_delta")
        block[key] += delta[key]


def _complete(block: Json) -> None:
    if block["type"] == "tool_use":
        block["input"] = _object(block.pop("partial", ""))


def _object(arguments: str) -> Json:
    """A call that the length limit cut off is told with no input."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
