"""What the suites measure with: a contender, the bare loop, and which of the two goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from edge_agent.bench.baseline import Baseline
from edge_agent.bench.sizes import Sizes
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Contender, Prompt, Subject
from edge_agent.bench.words import Words
from edge_agent.engine.params import LoadSpec

A = TypeVar("A")
B = TypeVar("B")


class Rig:
    """Passed to every suite. `round` counts from 0 and decides who goes first."""

    def __init__(
        self, contender: Contender, spec: LoadSpec, bare: Baseline, words: Words, sizes: Sizes
    ) -> None:
        self.contender = contender
        self.bare = bare
        self.words = words
        self.sizes = sizes
        self.spec = spec
        self.round = 0
        self.rounds = 1
        self._open: tuple[LoadSpec, Subject] | None = None
        self._stack = AsyncExitStack()

    async def subject(self, **changes: Any) -> Subject:
        """The contender, loaded as the spec with `changes` says; at most one runs at a time."""
        spec = replace(self.spec, **changes)
        if self._open is None or self._open[0] != spec:
            await self.aclose()
            subject = await self._stack.enter_async_context(self.contender.open(spec))
            self._open = spec, subject
        return self._open[1]

    async def aclose(self) -> None:
        """Stop the contender."""
        self._open = None
        await self._stack.aclose()

    async def both(
        self, first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]
    ) -> tuple[A, B]:
        """The results of both, run one after the other, in turned order every other round."""
        if self.round % 2 == 0:
            before = await first()
            return before, await second()
        after = await second()
        return await first(), after


async def run(subject: Subject, ask: Ask) -> Stream:
    """A request from asking to its end."""
    stream = Stream()
    async with aclosing(subject.follow(ask, stream)) as pieces:
        async for _ in pieces:
            pass
    return stream


@asynccontextmanager
async def reader(subject: Subject, prompt: Prompt, n_tokens: int) -> AsyncIterator[Stream]:
    """A request that somebody reads while the block runs; its first token has come."""
    stream, started = Stream(), asyncio.Event()

    async def read() -> None:
        async with aclosing(subject.follow(Ask(prompt, n_tokens), stream)) as pieces:
            async for _ in pieces:
                started.set()

    task = asyncio.create_task(read())
    begun = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({task, begun}, return_when="FIRST_COMPLETED")
        yield stream
    finally:
        begun.cancel()
        task.cancel()
        await asyncio.gather(task, begun, return_exceptions=True)
        await subject.idle()
