"""`cancel`: how soon a prefill that nobody waits for any longer is over."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, run
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Subject
from edge_agent.bench.suite import Figure, Samples, Suite

PROBES = 3  # short requests that tell what one takes when nothing is in its way
NEVER = (0.05, 0.9)  # of a prefill: not before it has begun, nor when it may be over


async def cancel(rig: Rig) -> Samples:
    """Seconds from closing a stream at a random point of its prefill until its place is free.

    The engine says when it is at rest. A server is started with one place, and what a short
    request waits for it, beyond what it takes otherwise, is the time.
    """
    engine = rig.contender.kind == "engine"
    subject = await (rig.subject() if engine else rig.subject(n_parallel=1))
    whole = await _whole(rig, subject)
    usual = 0.0 if engine else statistics.median([await _probe(subject) for _ in range(PROBES)])
    n = -(-rig.sizes.cancels // rig.rounds)
    draw = random.Random(rig.round)
    points = [draw.uniform(i, i + 1) / n for i in range(n)]
    low, high = NEVER
    waited = [
        await _cancelled(rig, subject, whole * (low + (high - low) * point), usual)
        for point in draw.sample(points, n)
    ]
    return {"p50": waited, "p99": waited}


async def _whole(rig: Rig, subject: Subject) -> float:
    """About how long the prefill takes: from a shorter one, which is a little faster a token."""
    stream = await run(subject, Ask(subject.new(rig.sizes.prompt), 1))
    return stream.to_first * rig.sizes.long / rig.sizes.prompt


async def _probe(subject: Subject) -> float:
    return (await run(subject, Ask(subject.new(8), 1))).to_first


async def _cancelled(rig: Rig, subject: Subject, after: float, usual: float) -> float:
    stream = Stream()
    async with aclosing(subject.follow(Ask(subject.new(rig.sizes.long), 1), stream)) as pieces:
        waiting = asyncio.ensure_future(_first(pieces))
        await asyncio.sleep(after)
        began = time.perf_counter()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    if rig.contender.kind == "engine":
        await subject.idle()
    else:
        await _probe(subject)
    return max(0.0, time.perf_counter() - began - usual)


async def _first(pieces: AsyncIterator[Stream]) -> None:
    async for _ in pieces:
        return


SOON = Target("s", 0.25, "at most")
CANCEL = Suite(cancel, {"p50": Figure(Target("s")), "p99": Figure(SOON, "p99")})
