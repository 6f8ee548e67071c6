"""What a backend streams, to events: a pure machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edge_agent.chat.calls import NotACall, read_calls
from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.logprobs import Tape
from edge_agent.chat.messages import (
    ChatRequest,
    Done,
    Event,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolSpec,
)
from edge_agent.chat.parser import StreamParser
from edge_agent.chat.remote.faults import error_of, fault_in
from edge_agent.chat.remote.mending import mended
from edge_agent.engine.params import Usage
from edge_agent.errors import EngineCrashed, EngineError

Json = Mapping[str, Any]
END = "[DONE]"
SHOWN_CHARS = 120


@dataclass(frozen=True, slots=True)
class Reading:
    """How a reply is to be read.

    tools: the calls that are recognised. mend: the schema that JSON is to be made to fit out of
    the text, which then comes in one piece. prompt_tokens: an estimate, where none are reported.
    """

    where: str
    model: str
    request: ChatRequest
    tools: tuple[ToolSpec, ...]
    mend: Json | None
    prompt_tokens: int
    count: Callable[[str], int]
    make_id: Callable[[], str]


class ReplyReader:
    """Feed it the data of each event; the last events come from `end`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._choices = [_Choice(reading, number) for number in range(reading.request.n)]
        self._usage: Json = {}
        self._timings: Json = {}
        self._done = False
        self._started_s = time.monotonic()
        self._first_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is of interest: the end was told, or stop strings were met."""
        return self._done or all(choice.stopped for choice in self._choices)

    def feed(self, data: str) -> list[Event]:
        """The events that this piece completes. Raises what an error in the stream stands for."""
        if data.strip() == END:
            self._done = True
            return []
        chunk = self._parsed(data)
        self._usage = chunk.get("usage") or self._usage
        self._timings = chunk.get("timings") or self._timings
        return [event for each in chunk.get("choices") or () for event in self._piece(each)]

    def _parsed(self, data: str) -> Json:
        try:
            chunk = json.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            shown = " ".join(data.split())[:SHOWN_CHARS]
            raise EngineError(
                f"The backend {self._reading.where} sent a piece that is not JSON: {shown}"
            )
        if chunk.get("error") or chunk.get("object") == "error":
            raise error_of(fault_in(chunk), self._reading.where, self._reading.model)
        return chunk

    def _piece(self, piece: Json) -> list[Event]:
        number = piece.get("index") or 0
        if not 0 <= number < len(self._choices):
            return []
        self._first_s = self._first_s or time.monotonic()
        return self._choices[number].feed(piece)

    def end(self) -> list[Event]:
        """The last events, one Done a continuation. Raises EngineCrashed when it broke off."""
        if not self.over and any(choice.reason is None for choice in self._choices):
            raise EngineCrashed(
                f"The connection to the backend {self._reading.where} was lost in the middle of "
                "an answer: send the request again."
            )
        events: list[Event] = []
        for choice in self._choices:
            events += choice.end()
        return events + [choice.done(self._account(choice)) for choice in self._choices]

    def _account(self, choice: _Choice) -> Usage:
        """A server counts the continuations together: the first carries the sum."""
        if choice.number:
            return Usage()
        written = sum(each.tokens for each in self._choices)
        prompt = _number(self._usage, "prompt_tokens", self._reading.prompt_tokens)
        details = self._usage.get("prompt_tokens_details") or {}
        now, first = time.monotonic(), self._first_s or time.monotonic()
        return Usage(
            prompt_tokens=prompt,
            cached_tokens=min(_number(details, "cached_tokens", 0), prompt),
            completion_tokens=_number(self._usage, "completion_tokens", written),
            prompt_s=self._seconds("prompt_ms", first - self._started_s),
            predict_s=self._seconds("predicted_ms", now - first),
        )

    def _seconds(self, name: str, measured: float) -> float:
        told = self._timings.get(name)
        return told / 1000 if isinstance(told, (int, float)) else measured

    @property
    def broke_schema(self) -> bool:
        """Whether the text is no JSON, though nothing cut it off."""
        return any(choice.is_plain and not _is_json(choice.text) for choice in self._choices)

    @property
    def called_nothing(self) -> bool:
        """Whether there was no good call, though nothing cut it off."""
        return any(choice.reason == "stop" and not choice.calls for choice in self._choices)


class _Choice:
    """One continuation."""

    def __init__(self, reading: Reading, number: int) -> None:
        self._reading = reading
        self.number = number
        self._tape = Tape()
        self._characters = Detokenizer()
        self._parser = StreamParser(
            {tool.name: tool for tool in reading.tools},
            reading.make_id,
            stop=reading.request.stop,
            tokens=self._tape.take,
            strict=reading.request.strict_calls,
        )
        self._parts: dict[int, _Parts] = {}
        self._malformed: list[str] = []
        self._thought_chars = ""
        self.text = ""
        self.calls = 0
        self.reason: Literal["stop", "length"] | None = None

    @property
    def stopped(self) -> bool:
        return bool(self._parser.stopped)

    @property
    def tokens(self) -> int:
        """An estimate of what was written."""
        parts = "".join(part.name + part.arguments for part in self._parts.values())
        return self._reading.count(self.text + self._thought_chars + parts)

    @property
    def is_plain(self) -> bool:
        """Whether it ended by itself, and in text."""
        return self.reason == "stop" and not (
            self.calls or self._malformed or self._parser.malformed
        )

    def feed(self, piece: Json) -> list[Event]:
        delta = piece.get("delta") or piece.get("message") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        text = _text(delta.get("content"))
        told = (piece.get("logprobs") or {}).get("content") or ()
        if text:
            self._note(told, len(text))
        for place, part in enumerate(delta.get("tool_calls") or ()):
            self._call_part(part, place, () if text or place else told)
        if reason := piece.get("finish_reason"):
            self.reason = "length" if reason == "length" else "stop"
        events: list[Event] = [Thought(thought)] if isinstance(thought, str) and thought else []
        return self._told([*events, *self._parser.feed(text)])

    def _note(self, told: Sequence[Json], n_chars: int) -> None:
        for place, token in enumerate(told):
            spelled = _logprob(token)
            whole = len(self._characters.feed(spelled.bytes))
            mine = n_chars if place == len(told) - 1 else min(whole, n_chars)
            n_chars -= mine
            self._tape.add(spelled, mine)

    def _call_part(self, part: Json, place: int, tokens: Sequence[Json]) -> None:
        """A call may come in pieces, told apart by index, or whole and without one."""
        index = part.get("index")
        if not isinstance(index, int):
            same = [i for i, p in self._parts.items() if p.id and p.id == part.get("id")]
            index = same[0] if same else max(self._parts, default=-1) + 1
        function = part.get("function") or {}
        known = self._parts.setdefault(index, _Parts())
        known.id = known.id or str(part.get("id") or "")
        known.name = known.name or str(function.get("name") or "")
        arguments = function.get("arguments") or ""
        known.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        known.logprobs += map(_logprob, tokens)

    def end(self) -> list[Event]:
        """What was held back, then the calls that came in their own field."""
        cut = self.reason == "length"
        events: list[Event] = [*self._parser.flush(cut)]
        for index in sorted(self._parts):
            events += self._whole(self._parts[index], cut)
        return self._told(events) + self._mended()

    def _whole(self, part: _Parts, cut: bool) -> list[ToolCall]:
        tools = {tool.name: tool for tool in self._reading.tools}
        body = json.dumps({"name": part.name, "arguments": part.arguments or {}})
        try:
            if cut:
                json.loads(part.arguments or "{}")
            (call,) = read_calls(body, tools)
        except NotACall as error:
            self._malformed.append(f"{error} What was written: {part}")
        except ValueError:
            self._malformed.append(f"The tool call is cut off. What was written: {part}")
        else:
            made = ToolCall(part.id or self._reading.make_id(), call.name, call.arguments_json)
            return [replace(made, logprobs=tuple(part.logprobs))]
        return []

    def _told(self, events: Sequence[Event]) -> list[Event]:
        self.calls += sum(isinstance(event, ToolCall) for event in events)
        self.text += "".join(event.text for event in events if isinstance(event, Text))
        self._thought_chars += "".join(e.text for e in events if isinstance(e, Thought))
        if self._reading.mend is not None:
            events = [event for event in events if not isinstance(event, Text)]
        return [replace(e, choice=self.number) for e in events] if self.number else [*events]

    def _mended(self) -> list[Event]:
        if self._reading.mend is None or not self.text:
            return []
        return [Text(mended(self.text, self._reading.mend) or self.text, self.number)]

    def done(self, usage: Usage) -> Done:
        malformed = "\n\n".join([*filter(None, [self._parser.malformed]), *self._malformed])
        reason = "tool_calls" if self.calls else self.reason or "stop"
        stop = self._parser.stopped or None
        return Done(reason, usage, (), malformed or None, self.number, stop=stop)


@dataclass(slots=True)
class _Parts:
    """A call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _logprob(token: Json) -> TokenLogprob:
    top = tuple(_logprob(each) for each in token.get("top_logprobs") or ())
    raw = token.get("bytes")
    spelled = bytes(raw) if isinstance(raw, list) else str(token.get("token", "")).encode()
    return TokenLogprob(spelled, float(token.get("logprob") or 0.0), top)


def _number(values: Json, name: str, default: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else default


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
