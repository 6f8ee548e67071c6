"""From the events of a chat to the events of a response, in OpenAI's order, and to its object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge_agent.chat.messages import CallPiece, Done, Event, Progress, Text, Thought, ToolCall
from edge_agent.server.completions.account import progress_timings, prompt_progress, timings_of
from edge_agent.server.responses.writing import Call, Item, Musing, Speech, Written

Json = dict[str, Any]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told beyond the text. progress, timings: of llama-server, while it is written.

    as_summary: thoughts are told as summaries.

    Who wants what is llama-server's has its end too: it is `response.completed`, cut short or not.
    """

    as_summary: bool = False
    logprobs: bool = False
    progress: bool = False
    timings: bool = False


class Machine:
    """Events in, events out, numbered from 0. `response` is the object as it stands.

    base: the object before anything was written.
    """

    def __init__(self, base: Json, telling: Telling) -> None:
        self._base = base
        self._telling = telling
        self._status: Status = "in_progress"
        self._end: Json = {}  # what the end adds to the object
        self._output: list[Written] = []
        self._ended: dict[str, Json] = {}  # items that are closed, by id
        self._open: Written | None = None
        self._held: list[Text | Thought] = []  # white space, until it is known to belong to more
        self._now: Progress | None = None
        self._next = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything was told."""
        return self._next > 0

    @property
    def is_over(self) -> bool:
        """Whether it has come to an end."""
        return self._status not in ("queued", "in_progress")

    @property
    def n_told(self) -> int:
        """How many events were told; the next has this number."""
        return self._next

    @property
    def response(self) -> Json:
        """The object as it stands."""
        items = [self._ended.get(item.id) or item.item("in_progress") for item in self._output]
        return {**self._base, "status": self._status, "output": items, **self._end}

    def begin(self, queued: bool = False) -> list[Json]:
        """It is taken in; `queued`: it waits for its turn."""
        self._status = "queued" if queued else "in_progress"
        kinds = ["created", "queued"] if queued else ["created"]
        return self._numbered([self._told(kind) for kind in kinds])

    def start(self) -> list[Json]:
        """It is worked on."""
        self._status = "in_progress"
        return self._numbered([self._told("in_progress")])

    def feed(self, event: Event) -> list[Json]:
        """What an event of the chat is in events of the response."""
        if isinstance(event, Progress):
            return self._numbered(self._progress(event))
        if isinstance(event, Done):
            return self._numbered(self._finish(event))
        if isinstance(event, CallPiece | ToolCall):
            return self._numbered(self._call(event))
        return self._numbered(self._text(event))

    def fail(self, code: str, message: str) -> list[Json]:
        """It ends with an error."""
        self._end = {"error": {"code": code, "message": message}}
        return self._numbered([*self._close("incomplete"), self._ending("failed")])

    def cancel(self) -> list[Json]:
        """It ends because somebody said so."""
        return self._numbered([*self._close("incomplete"), self._ending("cancelled")])

    def unstored(self) -> None:
        """It could not be kept, although that was wanted."""
        self._base = {**self._base, "store": False}

    def _text(self, event: Text | Thought) -> list[Json]:
        """An item begins with its first character that is no white space."""
        if not event.text:
            return []
        kind = Speech if isinstance(event, Text) else Musing
        if isinstance(self._open, kind):
            return self._piece(event)
        if self._held and type(self._held[0]) is not type(event):
            self._held = []
        self._held.append(event)
        if event.text.isspace():
            return []
        pieces, self._held = self._held, []
        events = self._begun(kind)
        return events + [told for piece in pieces for told in self._piece(piece)]

    def _begun(self, kind: type[Speech] | type[Musing]) -> list[Json]:
        place = len(self._output)
        if kind is Speech:
            return self._begin(Speech(place, self._telling.logprobs))
        return self._begin(Musing(place, self._telling.as_summary))

    def _begin(self, item: Written) -> list[Json]:
        events = self._close("completed")
        self._open = item
        self._output.append(item)
        return [*events, *item.open()]

    def _piece(self, event: Text | Thought) -> list[Json]:
        if isinstance(event, Text):
            assert isinstance(self._open, Speech)
            return self._timed(self._open.write(event))
        assert isinstance(self._open, Musing)
        return self._timed(self._open.write(event.text))

    def _call(self, event: CallPiece | ToolCall) -> list[Json]:
        self._held = []
        events: list[Json] = []
        call = self._open
        if not (isinstance(call, Call) and call.call_id == event.id):
            call = Call(len(self._output), event.id, event.name)
            events = self._begin(call)
        if isinstance(event, CallPiece):
            return [*events, *self._timed(call.write(event.arguments))]
        return [*events, *call.finish(event.arguments), *self._close("completed")]

    def _close(self, status: Literal["completed", "incomplete"]) -> list[Json]:
        item, self._open = self._open, None
        if item is None:
            return []
        events = item.close(status)
        self._ended[item.id] = events[-1]["item"]
        return events

    def _finish(self, done: Done) -> list[Json]:
        cut = done.reason == "length"
        events: list[Json] = []
        if not (self._output or cut):  # there is always something to read
            events = self._begin(Speech(0, self._telling.logprobs))
        events += self._close("incomplete" if cut else "completed")
        if not cut:
            self._output = [i for i in self._output if not _is_broken(i)]
        self._end = _end(done, cut)
        ending = self._ending("incomplete" if cut else "completed")
        if self._telling.progress or self._telling.timings:
            ending["type"] = "response.completed"
        return [*events, {**ending, "timings": timings_of(done.usage)}]

    def _ending(self, status: Literal["completed", "incomplete", "failed", "cancelled"]) -> Json:
        self._status = status
        return self._told("incomplete" if status == "cancelled" else status)

    def _told(self, kind: str) -> Json:
        return {"type": f"response.{kind}", "response": self.response}

    def _progress(self, event: Progress) -> list[Json]:
        self._now = event
        if event.usage.completion_tokens or not self._telling.progress:
            return []
        return [{**self._told("in_progress"), "prompt_progress": prompt_progress(event)}]

    def _timed(self, events: list[Json]) -> list[Json]:
        """The same events, the first of them with the timings up to here where they are wanted."""
        if not (events and self._telling.timings and self._now):
            return events
        return [{**events[0], "timings": progress_timings(self._now)}, *events[1:]]

    def _numbered(self, events: Sequence[Json]) -> list[Json]:
        first, self._next = self._next, self._next + len(events)
        return [
            {"type": event["type"], "sequence_number": number, **event}
            for number, event in enumerate(events, first)
        ]


def _is_broken(item: Item) -> bool:
    """A call that was begun and never came whole: nobody must make it."""
    return isinstance(item, Call) and not item.is_whole


def _end(done: Done, cut: bool) -> Json:
    malformed = {"malformed_tool_call": done.malformed} if done.malformed else {}
    return {
        "completed_at": None if cut else int(time.time()),
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "usage": usage(done),
        "timings": timings_of(done.usage),
        **malformed,
        **({"run_id": done.run} if done.run else {}),
    }


def usage(done: Done) -> Json:
    """What a response cost, in the words of this API."""
    used = done.usage
    return {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": done.thought_tokens},
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }
