"""Thoughts in the text itself, between their markers: llama-server's reasoning_format none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from edge_agent.chat.formats import THINK_CLOSE, THINK_OPEN
from edge_agent.chat.messages import Event, Progress, Text, Thought
from edge_agent.server.services import ReasoningFormat
from edge_agent.server.streaming import fed

Events: TypeAlias = AsyncGenerator[Event, None]
Place: TypeAlias = Literal["apart", "inside", "both"]
PLACES: Mapping[ReasoningFormat, Place] = MappingProxyType(
    {"none": "inside", "deepseek-legacy": "both"}
)


def place_of(wanted: ReasoningFormat) -> Place:
    """Where the thoughts go."""
    return PLACES.get(wanted, "apart")


def placed(events: Events, place: Place) -> Events:
    """The events, with each thought where it is wanted."""
    return events if place == "apart" else fed(events, Placed(place).feed)


class Placed:
    """Events in, events out: thoughts become text, or text as well."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._open: set[int] = set()  # choices inside a thought

    def feed(self, event: Event) -> list[Event]:
        """What is told in place of `event`."""
        if isinstance(event, Progress):
            return [event]
        if isinstance(event, Thought):
            return self._inside(event)
        if event.choice not in self._open:
            return [event]
        self._open.discard(event.choice)
        return [Text(f"\n{THINK_CLOSE}\n\n", event.choice), event]

    def _inside(self, thought: Thought) -> list[Event]:
        opening = "" if thought.choice in self._open else f"{THINK_OPEN}\n"
        self._open.add(thought.choice)
        text: list[Event] = [Text(opening + thought.text, thought.choice)]
        return [*text, thought] if self._place == "both" else text
