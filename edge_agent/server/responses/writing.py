"""Items of a response's output while they are written: what a stream tells, and what stays."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from edge_agent.chat.messages import Text
from edge_agent.server.completions.logprobs import with_top
from edge_agent.server.responses.items import new_id

Json = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]


class Item:
    """What the kinds of items have in common. `index` is its place in the output."""

    def __init__(self, prefix: str, index: int) -> None:
        self.id = new_id(prefix)
        self._index = index

    def _added(self, item: Json) -> Json:
        return {"type": "response.output_item.added", "output_index": self._index, "item": item}

    def _done(self, item: Json) -> Json:
        return {"type": "response.output_item.done", "output_index": self._index, "item": item}

    def _event(self, kind: str, **more: Any) -> Json:
        place = {"item_id": self.id, "output_index": self._index}
        return {"type": f"response.{kind}", **place, **more}


class Speech(Item):
    """A message of the model. logprobs: whether to tell them."""

    def __init__(self, index: int, logprobs: bool) -> None:
        super().__init__("msg", index)
        self._text = ""
        self._annotations: list[Json] = []
        self._logprobs: list[Json] | None = [] if logprobs else None

    def open(self) -> list[Json]:
        """The events that begin it."""
        item = {**self.item("in_progress"), "content": []}
        return [self._added(item), self._event("content_part.added", **self._part())]

    def write(self, piece: Text) -> list[Json]:
        """The events of a piece of text, and of what it cites."""
        logprobs = [with_top(token) for token in piece.logprobs]
        start, self._text = len(self._text), self._text + piece.text
        if self._logprobs is not None:
            self._logprobs += logprobs
        place = {"content_index": 0, "delta": piece.text, "logprobs": logprobs}
        return [self._event("output_text.delta", **place), *self._cited(piece, start)]

    def _cited(self, piece: Text, start: int) -> list[Json]:
        events = []
        for cited in piece.citations:
            annotation = {
                "type": "url_citation",
                "start_index": start + cited.start,
                "end_index": start + cited.end,
                "url": cited.url,
                "title": cited.title,
            }
            place = {"content_index": 0, "annotation_index": len(self._annotations)}
            event = self._event("output_text.annotation.added", **place, annotation=annotation)
            self._annotations.append(annotation)
            events.append(event)
        return events

    def close(self, status: Status) -> list[Json]:
        """The events that end it."""
        text = {"content_index": 0, "text": self._text, "logprobs": self._logprobs or []}
        return [
            self._event("output_text.done", **text),
            self._event("content_part.done", **self._part()),
            self._done(self.item(status)),
        ]

    def item(self, status: Status) -> Json:
        """The item as it stands."""
        common = {"id": self.id, "type": "message", "status": status, "role": "assistant"}
        return {**common, "content": [self._part()["part"]]}

    def _part(self) -> Json:
        annotations = list(self._annotations)
        part: Json = {"type": "output_text", "text": self._text, "annotations": annotations}
        if self._logprobs is not None:
            part["logprobs"] = list(self._logprobs)
        return {"content_index": 0, "part": part}


class Musing(Item):
    """A thought of the model, told as reasoning text, or as its own summary."""

    def __init__(self, index: int, as_summary: bool) -> None:
        super().__init__("rs", index)
        self._text = ""
        self._as_summary = as_summary

    def open(self) -> list[Json]:
        """The events that begin it."""
        item = {**self.item("in_progress"), "summary": [], "content": []}
        return [self._added(item), self._event(f"{self._part_kind}.added", **self._part())]

    def write(self, text: str) -> list[Json]:
        """The event of a piece of it."""
        self._text += text
        return [self._event(f"{self._text_kind}.delta", **self._place, delta=text)]

    def close(self, status: Status) -> list[Json]:
        """The events that end it."""
        return [
            self._event(f"{self._text_kind}.done", **self._place, text=self._text),
            self._event(f"{self._part_kind}.done", **self._part()),
            self._done(self.item(status)),
        ]

    def item(self, status: Status) -> Json:
        """The item as it stands."""
        part = [self._part()["part"]]
        told = {"summary": part, "content": []} if self._as_summary else {"content": part}
        return {"id": self.id, "type": "reasoning", "status": status, "summary": [], **told}

    @property
    def _part_kind(self) -> str:
        return "reasoning_summary_part" if self._as_summary else "content_part"

    @property
    def _text_kind(self) -> str:
        return "reasoning_summary_text" if self._as_summary else "reasoning_text"

    @property
    def _place(self) -> Json:
        return {"summary_index": 0} if self._as_summary else {"content_index": 0}

    def _part(self) -> Json:
        kind = "summary_text" if self._as_summary else "reasoning_text"
        return {**self._place, "part": {"type": kind, "text": self._text}}


class Call(Item):
    """A call of a function. It is whole once the chat has told it whole."""

    def __init__(self, index: int, call_id: str, name: str) -> None:
        super().__init__("fc", index)
        self.call_id = call_id
        self.is_whole = False
        self._name = name
        self._arguments = ""

    def open(self) -> list[Json]:
        """The event that begins it."""
        return [self._added(self.item("in_progress"))]

    def write(self, arguments: str) -> list[Json]:
        """The event of a piece of its arguments."""
        self._arguments += arguments
        return [self._event("function_call_arguments.delta", delta=arguments)] if arguments else []

    def finish(self, arguments: str) -> list[Json]:
        """The call with all its arguments; what had not been told of them is told."""
        rest = self.write(arguments) if not self._arguments else []
        self._arguments, self.is_whole = arguments, True
        return rest

    def close(self, status: Status) -> list[Json]:
        """The events that end it."""
        told = {"name": self._name, "arguments": self._arguments}
        item = self.item("completed" if self.is_whole else "incomplete")
        return [self._event("function_call_arguments.done", **told), self._done(item)]

    def item(self, status: Status) -> Json:
        """The item as it stands."""
        common = {"id": self.id, "type": "function_call", "status": status}
        called = {"call_id": self.call_id, "name": self._name, "arguments": self._arguments}
        return {**common, **called}


Written: TypeAlias = Speech | Musing | Call
