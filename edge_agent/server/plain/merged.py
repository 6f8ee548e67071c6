"""Several generations as one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from edge_agent.chat.messages import Event

Stream = AsyncGenerator[Event, None]


async def merged(streams: Sequence[Stream]) -> AsyncGenerator[tuple[int, Event], None]:
    """What each stream says, with its place, as it comes.

    Closing it closes all of them, and so does an error of one, which is raised.
    """
    queue: asyncio.Queue[tuple[int, Event] | Exception | None] = asyncio.Queue()
    readers = [asyncio.ensure_future(_read(i, s, queue)) for i, s in enumerate(streams)]
    try:
        left = len(readers)
        while left:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _read(
    place: int, stream: Stream, queue: asyncio.Queue[tuple[int, Event] | Exception | None]
) -> None:
    try:
        async with aclosing(stream):
            async for event in stream:
                queue.put_nowait((place, event))
        queue.put_nowait(None)
    except Exception as error:
        queue.put_nowait(error)
