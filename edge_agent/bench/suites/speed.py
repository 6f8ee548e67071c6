"""`decode` and `prefill`: how much of the bare loop's speed arrives, and how much of the time
llama.cpp was computing, which the noise of a machine that others use does not touch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, run
from edge_agent.bench.stream import Stream, together
from edge_agent.bench.subject import Ask, Prompt, Subject
from edge_agent.bench.suite import Figure, Samples, Suite

OVER_BARE = Figure(Target("ratio", 0.97), http=Target("ratio", 0.93))
SPEED = Figure(Target("tokens/s"))
COMPUTING = Figure(Target("ratio"))
T = TypeVar("T")


async def decode(rig: Rig) -> Samples:
    """Tokens per second, same batch and same positions as the bare loop's."""
    samples: dict[str, Sequence[float] | Lacking] = {}
    subject = await rig.subject()
    n_tokens = rig.sizes.decoded
    for n in (1, rig.sizes.many):
        ids = [rig.words.ids(rig.sizes.short) for _ in range(n)]
        prompts = [subject.new(rig.sizes.short) for _ in range(n)]
        seconds, (streams, share) = await rig.both(
            partial(rig.bare.decode, ids, n_tokens),
            partial(_timed, subject, partial(_written, subject, prompts, n_tokens + 1)),
        )
        try:
            samples |= _figures(n, together(streams), n * n_tokens / seconds, share)
        except Lacking as why:
            samples[f"{_many(n)}, over bare"] = why
    return samples


async def prefill(rig: Rig) -> Samples:
    """Prompt tokens per second, in batches of the bare loop's size."""
    samples: dict[str, Sequence[float] | Lacking] = {}
    subject = await rig.subject()
    n_tokens = rig.sizes.prompt
    for n in (1, rig.sizes.many):
        ids = [rig.words.ids(n_tokens) for _ in range(n)]
        prompts = [subject.new(n_tokens) for _ in range(n)]
        seconds, (speed, share) = await rig.both(
            partial(rig.bare.prefill, ids),
            partial(_timed, subject, partial(_read, subject, prompts, n_tokens)),
        )
        samples |= _figures(n, speed, n * n_tokens / seconds, share)
    return samples


async def _written(subject: Subject, prompts: list[Prompt], n_tokens: int) -> list[Stream]:
    # each a little longer than the one before, so that all are writing for as long as is measured
    asks = [Ask(prompt, n_tokens + len(prompts)) for prompt in prompts]
    return await asyncio.gather(*(run(subject, ask) for ask in asks))


async def _read(subject: Subject, prompts: list[Prompt], n_tokens: int) -> float:
    """Prompt tokens computed per second; those of a template that were cached do not count."""
    began = time.perf_counter()
    streams = await asyncio.gather(*(run(subject, Ask(prompt, 1)) for prompt in prompts))
    return sum(stream.computed_of(n_tokens) for stream in streams) / (time.perf_counter() - began)


async def _timed(
    subject: Subject, work: Callable[[], Awaitable[T]]
) -> tuple[T, Sequence[float] | Lacking]:
    """What the work gives, and the share of its time that llama.cpp was computing."""
    try:
        before = await subject.computing_s()
    except Lacking as why:
        return await work(), why
    began = time.perf_counter()
    done = await work()
    seconds = time.perf_counter() - began
    return done, [(await subject.computing_s() - before) / seconds]


def _figures(
    n: int, speed: float, bare: float, share: Sequence[float] | Lacking
) -> dict[str, Sequence[float] | Lacking]:
    many = _many(n)
    return {
        f"{many}, over bare": [speed / bare],
        f"{many}, in llama.cpp": share,
        f"{many}, speed": [speed],
        f"{many}, bare": [bare],
    }


def _many(n: int) -> str:
    return f"{n} sequence{'s' if n > 1 else ''}"


FIGURES = {"over bare": OVER_BARE, "in llama.cpp": COMPUTING, "speed": SPEED, "bare": SPEED}
DECODE = Suite(decode, FIGURES)
PREFILL = Suite(prefill, FIGURES)
