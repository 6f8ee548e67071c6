"""`stall`: what a stream that somebody reads feels of a long prefill beside it.

The limit is the kernels': a step with k prompt tokens takes as long as the bare loop takes for it,
so a longest gap allows a speed and no more. That frontier is measured in the same round.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise

from edge_agent.bench.bare import StepCost
from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, reader, run
from edge_agent.bench.stream import Stream, percentile
from edge_agent.bench.subject import Ask, Subject
from edge_agent.bench.suite import Figure, Samples, Suite

ADAPTIVE = 0  # LoadSpec.shared_chunk
SETTLED = 16  # tokens of the stream before it is disturbed
Point = tuple[float, float]  # seconds of the longest gap, prompt tokens per second


async def stall(rig: Rig) -> Samples:
    """Gaps of a stream while another request is prefilled, and the speed of that prefill."""
    costs = await _step_costs(rig)
    frontier = frontier_of(costs)
    if rig.contender.kind != "engine":
        return await _disturbed(rig, await rig.subject(), frontier)
    samples: dict[str, Sequence[float] | Lacking] = dict(_bare_figures(costs, frontier))
    for chunk in (ADAPTIVE, *rig.sizes.chunks):
        subject = await rig.subject(shared_chunk=chunk)
        where = f"chunks of {chunk}" if chunk else "adaptive"
        measured = await _disturbed(rig, subject, frontier)
        samples |= {f"{where}, {name}": values for name, values in measured.items()}
    return samples


async def _step_costs(rig: Rig) -> list[StepCost]:
    steps = [n for n in rig.sizes.steps if n < rig.spec.n_batch]
    return await rig.bare.step_costs(rig.sizes.long, rig.sizes.short, steps)


def frontier_of(costs: Sequence[StepCost]) -> list[Point]:
    """What the bare loop reaches with steps of each size, along the whole prefill."""
    return sorted((max(c.seconds), c.n_prompt / statistics.mean(c.seconds)) for c in costs)


def reached(frontier: Sequence[Point], gap: float, speed: float) -> float:
    """`speed` over what a longest gap allows, linear between the points.

    A gap longer than that of the largest step buys nothing: the figure shrinks by as much.
    """
    last_gap, last_speed = frontier[-1]
    if gap > last_gap:
        return speed / last_speed * last_gap / gap
    return speed / max(1e-9, _allowed(frontier, gap))


def _allowed(frontier: Sequence[Point], gap: float) -> float:
    for (gap_a, speed_a), (gap_b, speed_b) in pairwise(frontier):
        if gap <= gap_b:
            share = max(0.0, gap - gap_a) / max(1e-9, gap_b - gap_a)
            return speed_a + share * (speed_b - speed_a)
    return frontier[-1][1]


def _bare_figures(costs: Sequence[StepCost], frontier: Sequence[Point]) -> dict[str, list[float]]:
    single, full = statistics.mean(costs[0].seconds), max(speed for _, speed in frontier)
    samples: dict[str, list[float]] = {}
    for cost in costs[1:]:
        seconds, where = statistics.mean(cost.seconds), f"bare step with {cost.n_prompt}"
        samples[f"{where}, in single steps"] = [seconds / single]
        samples[f"{where}, of the fastest"] = [cost.n_prompt / seconds / full]
    return samples


async def _disturbed(rig: Rig, subject: Subject, frontier: Sequence[Point]) -> Samples:
    async with reader(subject, subject.new(rig.sizes.short), rig.sizes.read) as stream:
        await _settled(stream)
        normal = statistics.median(stream.gaps(0, time.perf_counter()))
        long = await run(subject, Ask(subject.new(rig.sizes.long), 1))
        gaps = stream.gaps(long.began, long.times[0])
        if not gaps or stream.ended:
            raise Lacking("does not write a stream while it reads another prompt")
    speed, worst = long.computed_of(rig.sizes.long) / long.to_first, percentile(gaps, 99)
    return {
        "speed over the frontier's at its p99 gap": [reached(frontier, worst, speed)],
        "p99 gap / normal gap": [worst / normal],
        "longest gap / normal gap": [max(gaps) / normal],
        "p99 gap": [worst],
        "longest gap": [max(gaps)],
        "prefill speed": [speed],
    }


async def _settled(stream: Stream) -> None:
    while len(stream.times) < SETTLED and not stream.ended:
        await asyncio.sleep(0.01)


RATIO, SECONDS, SPEED = (Figure(Target(unit)) for unit in ("ratio", "s", "tokens/s"))
STALL = Suite(
    stall,
    {
        "speed over the frontier's at its p99 gap": Figure(Target("ratio", 0.85)),
        "p99 gap / normal gap": RATIO,
        "longest gap / normal gap": RATIO,
        "p99 gap": SECONDS,
        "longest gap": SECONDS,
        "prefill speed": SPEED,
        "in single steps": RATIO,
        "of the fastest": RATIO,
    },
)
