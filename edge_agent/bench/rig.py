"""What the suites measure with: an engine, a bare loop, prompts nobody has seen, and a clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from edge_agent.bench.bare import Bare
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, SamplingParams, Tokens, Usage

GREEDY = SamplingParams(temperature=0)
TURN_TOKENS = 8  # what the model writes in a turn of the `turns` suite
FIRST_ID = 300  # past the bytes and the control tokens that vocabularies begin with


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the suites compute, in tokens."""

    prompt: int = 512
    decoded: int = 64
    prefix: int = 1500
    long: int = 1024
    observation: int = 300
    turns: int = 12
    many: int = 4

    @property
    def n_ctx(self) -> int:
        """Cells that the largest suite needs."""
        talk = self.prompt + self.turns * (self.observation + TURN_TOKENS)
        most = max(talk, self.many * (self.prompt + self.decoded), 2 * self.prefix, 2 * self.long)
        return -(-(most + 512) // 256) * 256


@dataclass(slots=True)
class Stream:
    """What came out of one request, and when (seconds on the clock of `perf_counter`)."""

    ids: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    @property
    def computed(self) -> int:
        """Prompt tokens that were computed for it."""
        return self.usage.prompt_tokens - self.usage.cached_tokens

    def gaps(self, begin: float, end: float) -> list[float]:
        """Seconds between tokens, for those that came within a time."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return [later - at for at, later in pairs if later > begin and at < end]


@dataclass(frozen=True, slots=True)
class Rig:
    """Passed to every suite."""

    engine: EngineClient
    bare: Bare
    sizes: Sizes
    random: random.Random

    def prompt(self, n_tokens: int) -> list[int]:
        """Tokens that no cache holds: drawn anew each time."""
        top = self.engine.info.n_vocab // 2
        return [self.random.randrange(min(FIRST_ID, top - 1), top) for _ in range(n_tokens)]

    async def run(self, prompt: Sequence[int], n_tokens: int) -> Stream:
        """A request from submit to its end."""
        stream = Stream()
        async for _ in self.follow(prompt, n_tokens, stream):
            pass
        return stream

    async def follow(
        self, prompt: Sequence[int], n_tokens: int, stream: Stream
    ) -> AsyncIterator[Stream]:
        """Yields `stream` whenever a token has been added to it."""
        params = GenerateParams(GREEDY, max_tokens=n_tokens, ignore_eos=True)
        async with aclosing(self.engine.submit(prompt, params)) as items:
            async for item in items:
                if isinstance(item, Finished):
                    stream.usage = item.usage
                elif isinstance(item, Tokens):
                    stream.times.extend([time.perf_counter()] * len(item.ids))
                    stream.ids.extend(item.ids)
                    yield stream

    async def idle(self) -> None:
        """Wait until nothing runs."""
        while True:
            counts = await self.engine.stats()
            if not (counts["running"] or counts["waiting"]):
                return


@asynccontextmanager
async def reader(rig: Rig, prompt: Sequence[int], n_tokens: int) -> AsyncIterator[Stream]:
    """A request that somebody reads while the block runs; its first token has come."""
    stream, started = Stream(), asyncio.Event()

    async def read() -> None:
        async for _ in rig.follow(prompt, n_tokens, stream):
            started.set()

    task = asyncio.create_task(read())
    try:
        await asyncio.wait(
            {task, begun := asyncio.create_task(started.wait())}, return_when="FIRST_COMPLETED"
        )
        begun.cancel()
        yield stream
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.idle()
