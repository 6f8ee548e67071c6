"""The fold of a stream of events: one whole completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from edge_agent.chat.messages import Completion, Done, Event, Text, Thought, ToolCall
from edge_agent.errors import EngineError


def unended() -> EngineError:
    """What a stream means that is over without its Done."""
    return EngineError("The generation ended without saying why; send the request again.")


async def folded(stream: AsyncGenerator[Event, None]) -> Completion:
    """The first continuation; it closes the stream. Raises EngineError where that has no end."""
    async with aclosing(stream):
        events = [event async for event in stream if event.choice == 0]
    done = events[-1] if events else None
    if not isinstance(done, Done):
        raise unended()
    return Completion(
        "".join(event.text for event in events if isinstance(event, Text)),
        "".join(event.text for event in events if isinstance(event, Thought)),
        tuple(event for event in events if isinstance(event, ToolCall)),
        done,
    )
